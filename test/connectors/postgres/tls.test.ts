import { createServer } from 'node:net'
import { createSecureContext, TLSSocket } from 'node:tls'
import type { Client } from 'pg'
import { test } from 'tap'
import { connect } from '../../../connectors/postgres/session.ts'
import { withTls } from '../../../src/core/postgres-tls.ts'
import { makeAuthority, makeCertificate } from '../../support/certificates.ts'
import { startWithTls } from '../../support/servers/postgres-tls.ts'
import { usePostgres } from '../../support/servers/use.ts'

const authority = makeAuthority('Test authority')

test('a server with TLS is known by its certificate', async (t) => {
  const { at, files } = await startWithTls(t)
  const root = { sslrootcert: files.authority }
  t.match(await tlsOf(at('localhost', 'verify-full', root)), {
    ssl: true,
    version: /^TLSv1\.[23]$/,
  })
  t.match(await tlsOf(at('127.0.0.1', 'verify-ca', root)), { ssl: true })
  const direct = { ...root, sslnegotiation: 'direct' }
  t.match(await tlsOf(at('localhost', 'verify-full', direct)), { ssl: true }, 'without asking')
  t.match(await tlsOf(at('127.0.0.1', 'require')), { ssl: true }, 'encrypted, not verified')
  t.match(await tlsOf(at('127.0.0.1', undefined)), { ssl: true }, 'preferred on this machine')
  t.match(await tlsOf(at('127.0.0.1', 'disable')), { ssl: false })
  t.match(await tlsOf(at('localhost', 'verify-full', root), true), { ssl: true }, 'replication')
  const refused = (url: string, message: RegExp) =>
    t.rejects(connect(url), { code: 'TARGET_MISCONFIGURED', message })
  await refused(at('127.0.0.1', 'verify-full', root), /is for another name: .*127\.0\.0\.1/)
  await refused(at('localhost', 'verify-full'), /cannot be trusted: .*database\.sslrootcert/)
  const wrong = { sslrootcert: files.stranger }
  await refused(at('localhost', 'verify-full', wrong), /cannot be trusted/)
  await refused(at('127.0.0.1', 'verify-ca', wrong), /cannot be trusted/)
  const missing = at('localhost', 'verify-full', { sslrootcert: 'no-such.pem' })
  await t.rejects(connect(missing), { code: 'CONFIG_INVALID', message: /no-such\.pem of sslroot/ })
})

test('a server may ask for our certificate', async (t) => {
  const { at, files } = await startWithTls(
    t,
    'hostssl all all all scram-sha-256 clientcert=verify-full\n',
  )
  const root = { sslrootcert: files.authority }
  await t.rejects(connect(at('localhost', 'verify-full', root)), {
    code: 'ACCESS_DENIED',
    message: /requires a valid client certificate/,
  })
  const own = { ...root, sslcert: files.client, sslkey: files.clientKey }
  t.match(await tlsOf(at('localhost', 'verify-full', own)), {
    ssl: true,
    client_dn: '/CN=postgres',
  })
  await t.rejects(connect(at('localhost', 'disable')), { code: 'ACCESS_DENIED' })
})

test('a server without TLS is refused where TLS is asked for, with the way out', async (t) => {
  const { url } = await usePostgres(t)
  for (const mode of ['require', 'verify-ca', 'verify-full'] as const) {
    await t.rejects(connect(withTls(url, { sslmode: mode })), {
      code: 'TARGET_MISCONFIGURED',
      message: new RegExp(`does not speak TLS, but database.sslmode is ${mode}.*sslmode: disable`),
    })
  }
  const client = await connect(withTls(url, { sslmode: 'prefer' }))
  t.equal((await client.query('SELECT 1 AS one')).rows[0].one, 1)
  await client.end()
})

test('the server learns by what name it is called (SNI)', async (t) => {
  const { key, pem } = makeCertificate('localhost', authority, ['localhost'])
  const called = Promise.withResolvers<string>()
  const server = createServer((socket) => {
    socket.once('data', () => {
      socket.write('S')
      const secureContext = createSecureContext({ key, cert: pem })
      const SNICallback = (name: string, done: (error: null) => void) => {
        called.resolve(name)
        done(null)
      }
      new TLSSocket(socket, { isServer: true, secureContext, SNICallback }).on('error', () => {})
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => server.close())
  const { port } = server.address() as { port: number }
  const url = `postgres://u:p@localhost:${port}/db?sslmode=verify-full`
  await t.rejects(connect(url), { code: 'TARGET_MISCONFIGURED' })
  t.equal(await called.promise, 'localhost')
})

interface Known {
  readonly ssl: boolean
  readonly version: string | null
  readonly client_dn: string | null
}

async function tlsOf(url: string, replication = false): Promise<Known> {
  const client: Client = await connect(url, replication)
  try {
    const text = 'SELECT ssl, version, client_dn FROM pg_stat_ssl WHERE pid = pg_backend_pid()'
    return (await client.query<Known>(text)).rows[0]!
  } finally {
    await client.end()
  }
}
