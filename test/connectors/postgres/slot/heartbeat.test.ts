import { type Test, test } from 'tap'
import { postgresOptions } from '../../../../connectors/postgres/options.ts'
import { PostgresSource } from '../../../../connectors/postgres/source.ts'
import { parseLsn } from '../../../../connectors/postgres/wal/lsn.ts'
import { usePostgres } from '../../../support/servers/use.ts'
import { openSource, read, snapshotEnds, textOf } from '../reading.ts'

test('heartbeats come to their topic, run SQL, and move the slot of an idle database', async (t) => {
  const { database, position } = await prepared(t)
  const options = {
    'heartbeat.interval.ms': 50,
    'heartbeat.action.query': 'update beats set n = n + 1',
  }
  const source = openSource(database, ['public.a'], { options })
  const beats = await read(source, position, ({ records }) => records.length >= 3)
  const [first] = beats.records
  t.equal(first!.topic, '__debezium-heartbeat.db')
  t.equal(textOf(first!.key), '{"serverName":"db"}')
  t.match(textOf(first!.value), /^\{"ts_ms":\d{13}\}$/)
  t.ok(beats.batches.every(({ complete }) => complete))
  const versions = beats.records.map(({ version }) => version)
  t.strictSame(versions, [...new Set(versions)].sort(), 'each a commit of its own')
  t.ok(versions[0]! > BigInt(JSON.parse(position).lastVersion))
  const [row] = await database.query<{ n: number }>('select n from beats')
  t.ok(row!.n > 0)
})

test('changes after a heartbeat have greater versions still', async (t) => {
  const { database, position } = await prepared(t)
  const options = { 'heartbeat.interval.ms': 20 }
  const insert = 'insert into a values (7) on conflict do nothing'
  const source = openSource(database, ['public.a'], { options })
  const { records } = await read(source, position, ({ records }) => {
    if (records.length === 1) void database.query(insert)
    return records.some(({ topic }) => topic === 'db.public.a')
  })
  const versions = records.map(({ version }) => version)
  t.strictSame(
    versions,
    versions.toSorted((a, b) => (a < b ? -1 : 1)),
  )
})

test('a heartbeat that fails is told once, and hinders nothing', async (t) => {
  const { database, position } = await prepared(t)
  const said: string[] = []
  const options = { 'heartbeat.interval.ms': 20, 'heartbeat.action.query': 'update none set n = 1' }
  const parsed = postgresOptions.parse({
    ...{ url: database.url, tables: ['public.a'], 'slot.name': database.database, ...options },
  })
  const context = { pipeline: 'test', name: 'db', say: (line: string) => void said.push(line) }
  const source = new PostgresSource(parsed, context)
  await read(source, position, ({ records }) => records.length >= 5)
  t.strictSame(said, ['the heartbeat failed: relation "none" does not exist'])
})

test('without heartbeats an idle database has no records, and the slot still moves', async (t) => {
  const { database, position } = await prepared(t)
  await database.query("select pg_logical_emit_message(true, 'millrace.x', repeat('x', 17000000))")
  const source = openSource(database, ['public.a'])
  const { records, position: later } = await read(source, position, () => true)
  t.strictSame(records, [])
  const before = parseLsn(JSON.parse(position).commitEnd)
  const { idle, commitEnd } = JSON.parse(later!)
  t.ok(parseLsn(idle ?? commitEnd) - before > 16_000_000n)
})

async function prepared(t: Test) {
  const database = await usePostgres(t)
  await database.query('create table a (id int primary key); create table beats as select 0 as n')
  const { position } = await read(openSource(database, ['public.a']), undefined, snapshotEnds)
  return { database, position: position! }
}
