import { chown, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Test } from 'tap'
import { type SslMode, withTls } from '../../../src/core/postgres-tls.ts'
import { makeAuthority, makeCertificate } from '../certificates.ts'
import { usePostgres } from './use.ts'

const authority = makeAuthority('Test authority')
const stranger = makeAuthority('Another authority')

/**
 * A server for `localhost` that trusts an authority, and the files that its clients need. `at`
 * makes a URL of a host, a mode and more parameters; `access` is what stands in pg_hba.conf.
 */
export async function startWithTls(t: Test, access?: string) {
  const { server, database } = await usePostgres(t, {})
  const folder = t.testdir({})
  const host = makeCertificate('localhost', authority, ['localhost'])
  const client = makeCertificate('postgres', authority)
  const data = join(server!.dir, 'data')
  const owner = await stat(data)
  const place = async (path: string, text: string) => {
    await writeFile(path, text, { mode: 0o600 })
    if (path.startsWith(data)) await chown(path, owner.uid, owner.gid)
    return path
  }
  await place(join(data, 'server.crt'), host.pem)
  await place(join(data, 'server.key'), host.key)
  await place(join(data, 'root.crt'), authority.pem)
  if (access !== undefined) await place(join(data, 'pg_hba.conf'), access)
  await server!.restart({ ssl: 'on', ssl_ca_file: 'root.crt' })
  const files = {
    authority: await place(join(folder, 'authority.pem'), authority.pem),
    stranger: await place(join(folder, 'stranger.pem'), stranger.pem),
    client: await place(join(folder, 'client.pem'), client.pem),
    clientKey: await place(join(folder, 'client.key'), client.key),
  }
  const at = (host: string, sslmode: SslMode | undefined, more: Record<string, string> = {}) =>
    withTls(`postgres://postgres:postgres@${host}:${server!.port}/${database}`, {
      sslmode,
      ...more,
    })
  return { at, files }
}
