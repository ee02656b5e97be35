import { X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createServer, type ServerOptions } from 'node:https'
import type { AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'
import { type Test, test } from 'tap'
import { ElasticsearchClient } from '../../../sinks/elasticsearch/client.ts'
import type { TlsOptions } from '../../../sinks/elasticsearch/options.ts'
import { makeAuthority, makeCertificate } from '../../support/certificates.ts'

// Valid for a century, for localhost and 127.0.0.1; the authority's key was thrown away.
const file = (name: string) => fileURLToPath(new URL(`./certificates/${name}`, import.meta.url))
const authority = readFileSync(file('authority.pem'))
const { fingerprint256 } = new X509Certificate(authority)
const ownFingerprint = new X509Certificate(readFileSync(file('server.pem'))).fingerprint256
const insecure = false

test('a server is trusted by the file or the fingerprint of its authority', async (t) => {
  const { ask } = await secureServer(t)
  t.equal(await ask({ insecure, ca: file('authority.pem') }), 200)
  t.equal(await ask({ insecure, caFingerprint: fingerprint256 }), 200)
  t.equal(
    await ask({ insecure, caFingerprint: fingerprint256.replaceAll(':', '').toLowerCase() }),
    200,
  )
  t.equal(await ask({ insecure, caFingerprint: ownFingerprint }), 200)
  t.equal(await ask({ insecure: true }), 200)
})

test('a server that is not trusted is sent nothing', async (t) => {
  const { ask, paths } = await secureServer(t)
  await t.rejects(ask({ insecure }), { code: 'CONNECTION_LOST' })
  await t.rejects(ask(undefined), { code: 'CONNECTION_LOST' })
  const other = 'AB'.repeat(32)
  await t.rejects(ask({ insecure, caFingerprint: other }), { code: 'TARGET_MISCONFIGURED' })
  await t.rejects(ask({ insecure, ca: '/nowhere/ca.pem' }), { code: 'CONFIG_INVALID' })
  t.same(paths, [])
})

test('a fingerprint does not excuse a certificate for another host', async (t) => {
  const { ask, paths } = await secureServer(t)
  const answer = ask({ insecure, caFingerprint: fingerprint256 }, '127.0.0.2')
  await t.rejects(answer, { code: 'CONNECTION_LOST' })
  t.same(paths, [])
})

test('a client shows its certificate where the server asks for one', async (t) => {
  const signer = makeAuthority('clients')
  const own = makeCertificate('millrace', signer)
  const folder = t.testdir({ 'own.pem': own.pem, 'own-key.pem': own.key })
  const { ask, paths } = await secureServer(t, {
    ...{ requestCert: true, rejectUnauthorized: true, ca: signer.pem },
  })
  const trust = { insecure, ca: file('authority.pem') }
  const shown = { cert: `${folder}/own.pem`, key: `${folder}/own-key.pem` }
  await t.rejects(ask(trust), { code: 'CONNECTION_LOST' })
  t.same(paths, [])
  t.equal(await ask({ ...trust, ...shown }), 200)
  t.equal(await ask({ insecure, caFingerprint: fingerprint256, ...shown }), 200)
  await t.rejects(ask({ ...trust, ...shown, key: `${folder}/none.pem` }), {
    ...{ code: 'CONFIG_INVALID', message: /tls\.key/ },
  })
})

async function secureServer(t: Test, more: ServerOptions = {}) {
  const paths: string[] = []
  const options = {
    key: readFileSync(file('server-key.pem')),
    cert: Buffer.concat([readFileSync(file('server.pem')), authority]),
    ...more,
  }
  const server = createServer(options, (request, response) => {
    paths.push(request.url!)
    response.end('{}')
  })
  await new Promise<void>((resolve) => server.listen(0, resolve))
  t.teardown(() => {
    server.close()
    server.closeAllConnections()
  })
  const { port } = server.address() as AddressInfo
  const ask = async (tls: TlsOptions | undefined, host = '127.0.0.1') => {
    const url = `https://${host}:${port}`
    const client = new ElasticsearchClient({ url, tls, inFlight: 1, requestTimeoutMs: 5000 })
    t.teardown(() => client.close())
    return (await client.send({ method: 'GET', path: '/' })).status
  }
  return { ask, paths }
}
