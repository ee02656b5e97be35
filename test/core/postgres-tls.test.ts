import { test } from 'tap'
import {
  effectiveMode,
  isLoopback,
  splitTls,
  tlsOptions,
  withTls,
} from '../../src/core/postgres-tls.ts'

test('what leaves the machine is verified in full unless it is said otherwise', (t) => {
  const byDefault = { mode: undefined }
  for (const host of ['localhost', '127.0.0.1', '127.8.8.8', '::1', '/var/run', 'a.localhost']) {
    t.equal(effectiveMode(byDefault, host), 'prefer', host)
  }
  for (const host of ['db.example.com', '10.0.0.1', '0.0.0.0', '127.evil.example', 'postgres']) {
    t.notOk(isLoopback(host), host)
    t.equal(effectiveMode(byDefault, host), 'verify-full', host)
  }
  t.equal(effectiveMode({ mode: 'disable' }, 'db.example.com'), 'disable')
  t.equal(effectiveMode({ mode: 'require' }, 'db.example.com'), 'require')
  const rooted = { mode: 'require', rootCertificate: 'ca.pem' } as const
  t.equal(effectiveMode(rooted, 'db.example.com'), 'verify-ca', 'as libpq has it')
  t.end()
})

test('TLS older than 1.2 is never spoken', (t) => {
  for (const mode of ['prefer', 'require', 'verify-ca', 'verify-full'] as const) {
    t.match(tlsOptions({ mode }, mode), { minVersion: 'TLSv1.2' })
  }
  t.equal(tlsOptions({ mode: 'disable' }, 'disable'), false)
  t.end()
})

test('the parameters of a URL are taken out, and options go before them', (t) => {
  const url = 'postgres://u:p@h:1/db?application_name=x&sslmode=require&sslrootcert=a%20b.pem'
  const { bare, tls } = splitTls(url)
  t.equal(bare, 'postgres://u:p@h:1/db?application_name=x')
  t.match(tls, { mode: 'require', rootCertificate: 'a b.pem', key: undefined })
  t.equal(splitTls(withTls(url, { sslmode: 'verify-full' })).tls.mode, 'verify-full')
  t.equal(withTls(url, { sslmode: undefined }), url)
  for (const [word, mode] of Object.entries({ true: 'verify-full', 0: 'disable' })) {
    t.equal(splitTls(`postgres://h/db?ssl=${word}`).tls.mode, mode)
  }
  t.throws(() => splitTls('postgres://h/db?sslmode=verify_full'), { code: 'CONFIG_INVALID' })
  t.end()
})
