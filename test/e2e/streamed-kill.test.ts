import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Client } from 'pg'
import { test } from 'tap'
import { cli, start } from '../launcher/child.ts'
import { usePostgres } from '../support/servers/use.ts'
import { until } from './pipeline.ts'

const pipeline = `
name: p
connectors:
  db: {type: postgres, url: '\${URL}', slot.name: '\${SLOT}', tables: [public.a]}
sinks:
  lines: {type: file, from: db.public.a, path: lines.ndjson}
`

test('a process that dies while it receives a large transaction loses none of it', async (t) => {
  const { query, url, database } = await usePostgres(t)
  await query('CREATE TABLE a (id int PRIMARY KEY, note text)')
  await query(`ALTER DATABASE ${database} SET logical_decoding_work_mem = '64kB'`)
  const folder = t.testdir({ 'p.yaml': pipeline })
  const options = { cwd: folder, env: { URL: url, SLOT: database } }
  const run = () => start(cli, ['run', 'p.yaml'], options)
  const spills = () => {
    const scratch = join(folder, 'data/p/scratch/db')
    return existsSync(scratch) ? readdirSync(scratch).length : 0
  }
  let running = run()
  t.teardown(() => running.kill('SIGKILL'))
  await running.said(/db: running/)
  const writer = new Client(url)
  await writer.connect()
  t.teardown(() => writer.end())
  const fill = (from: number, to: number) =>
    `INSERT INTO a SELECT id, repeat('x', 300) FROM generate_series(${from}, ${to}) id`
  await writer.query('BEGIN')
  await writer.query(fill(1, 4000))
  await until(() => spills() > 0, running.output)
  running.kill('SIGKILL')
  await running.ended
  t.equal(spills(), 1, 'its file is left')
  running = run()
  await running.said(/db: running/)
  await writer.query('SAVEPOINT s')
  await writer.query(fill(4001, 6000))
  await writer.query('ROLLBACK TO s')
  await writer.query('COMMIT')
  const path = join(folder, 'lines.ndjson')
  const lines = () => (existsSync(path) ? readFileSync(path, 'utf8').trim().split('\n') : [])
  await until(() => lines().length >= 4000, running.output)
  running.kill('SIGTERM')
  t.equal(await running.ended, 0)
  const keys = new Set(lines().map((line) => JSON.parse(line).key))
  t.equal(keys.size, 4000)
  t.equal(lines().length, 4000)
  t.equal(spills(), 0)
})
