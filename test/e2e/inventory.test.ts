import { cpSync, existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'
import { Mask } from '../../src/launcher/config/mask.ts'
import { serveHttp } from '../../src/launcher/inspect/console.ts'
import { statusOf } from '../../src/launcher/inspect/status.ts'
import type { Parts } from '../../src/launcher/run/pipeline.ts'
import { Topology } from '../../src/streams/topology.ts'
import { usePostgres } from '../support/servers/use.ts'
import { begin, until } from './pipeline.ts'

const example = join(import.meta.dirname, '../../config/inventory')

test('sales and shipments make an inventory that a writer reads at once', async (t) => {
  const database = await usePostgres(t)
  await database.query(readFileSync(join(example, 'schema.sql'), 'utf8'))
  const folder = t.testdir()
  cpSync(example, folder, { recursive: true })
  const lines = join(folder, 'lines.ndjson')
  const env = { DATABASE_URL: database.url, SLOT: database.database, LINES_PATH: lines }
  await database.query('INSERT INTO shipments (store, item, quantity) VALUES (1, 7, 10), (2, 7, 4)')

  const start = async () => {
    let parts!: Parts
    const change = (made: Parts) => (parts = made)
    const running = await begin(t, { folder, env, change })
    const origin = { startedAt: new Date(), path: folder, mask: new Mask() }
    const status = () => statusOf(parts, origin)
    const topology = new Topology('retail', {})
    const asked = { parts, log: running.log, topology, status }
    const http = await serveHttp({ host: '127.0.0.1', port: 0, token: 'sesame' }, asked)
    const headers = { authorization: 'Bearer sesame' }
    const get = async (path: string) => (await fetch(http.url + path, { headers })).text()
    return { running, http, get }
  }
  const write = async (sql: string): Promise<string> => {
    await database.query(sql)
    const [row] = await database.query('SELECT pg_current_wal_lsn()::text AS lsn')
    return String((row as { lsn: unknown }).lsn)
  }

  const first = await start()
  const lsn = await write('INSERT INTO sales (store, item, quantity) VALUES (1, 7, 3)')
  const count = (atLeast: string) => `/inventory/stores/1/items/7/count?atLeast=${atLeast}`
  t.equal(await first.get(count(lsn)), '7\n')
  t.equal(await first.get('/inventory/stores/2/items/7/count'), '4\n')
  t.equal(await first.get('/inventory/stores/9/items/9/count'), '0\n')
  t.strictSame(JSON.parse(await first.get('/stores')), ['inventory'])
  t.strictSame(JSON.parse(await first.get('/stores/inventory?prefix={"item":7,"store":1')), [
    { key: { item: 7, store: 1 }, value: { count: 7 }, timestamp: await timestampIn(first.get) },
  ])
  t.strictSame(JSON.parse(await first.get('/stores/inventory/{"store":2,"item":7}')), { count: 4 })
  t.match(JSON.parse(await first.get('/stores/inventory/{"store":3,"item":7}')), {
    error: { code: 'no_such_key' },
  })
  t.match(JSON.parse(await first.get('/nothing')), { error: { code: 'not_found' } })
  t.match(await first.get('/metrics'), /^millrace_up\{.*part="inventory"\} 1$/m)
  t.match(JSON.parse(await first.get('/status')), { pipeline: 'retail' })
  t.equal((await fetch(first.http.url)).status, 401)
  await first.http.close()
  await first.running.stop()

  const later = await write('UPDATE sales SET quantity = 4; DELETE FROM shipments WHERE store = 2')
  const second = await start()
  t.equal(await second.get(count(later)), '6\n')
  t.equal(await second.get('/inventory/stores/2/items/7/count'), '0\n')
  await until(() => existsSync(lines) && readFileSync(lines, 'utf8').includes('"count":6'))
  await second.http.close()
})

async function timestampIn(get: (path: string) => Promise<string>): Promise<number> {
  const entries = JSON.parse(await get('/stores/inventory')) as { timestamp: number }[]
  return entries[0]!.timestamp
}
