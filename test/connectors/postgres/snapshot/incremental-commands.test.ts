import { setTimeout as sleep } from 'node:timers/promises'
import { type Test, test } from 'tap'
import type { PostgresOptions } from '../../../../connectors/postgres/options.ts'
import { type TestDatabase, usePostgres } from '../../../support/servers/use.ts'
import { say } from '../reading.ts'
import { Follower } from './incremental-follower.ts'

interface Prepared {
  readonly database: TestDatabase
  readonly follower: Follower
  readonly signal: (type: string, data?: object) => Promise<unknown>
}

/** Twenty rows that no snapshot has read, and a table for signals. */
async function prepare(t: Test, options: Partial<PostgresOptions> = {}): Promise<Prepared> {
  const database = await usePostgres(t)
  await database.query(`
    CREATE TABLE items (id int PRIMARY KEY, n int NOT NULL DEFAULT 0);
    CREATE TABLE marks (id serial PRIMARY KEY, note text);
    CREATE TABLE signals (id text, type text, data text);
    INSERT INTO items SELECT i FROM generate_series(1, 20) i`)
  const follower = new Follower(database, {
    ...{ 'snapshot.mode': 'no_data', 'incremental.snapshot.chunk.size': 5 },
    ...{ 'signal.data.collection': 'public.signals' },
    ...options,
  })
  await follower.untilRead()
  const signal = (type: string, data: object = {}) =>
    database.query('INSERT INTO signals VALUES ($1, $2, $3)', ['s', type, JSON.stringify(data)])
  return { database, follower, signal }
}

const items = { 'data-collections': ['public.items'] }

async function mark({ database, follower }: Prepared, note: string): Promise<void> {
  await database.query('INSERT INTO marks (note) VALUES ($1)', [note])
  await follower.until(note)
}

function read({ follower }: Prepared): number[] {
  return follower.records
    .map(say)
    .filter(({ op, topic }) => op === 'r' && topic === 'db.public.items')
    .map(({ key }) => JSON.parse(key!).id)
}

const all = Array.from({ length: 20 }, (_, i) => i + 1)

test('a signal has a table read, in the order of its key', async (t) => {
  const prepared = await prepare(t)
  await prepared.signal('execute-snapshot', items)
  await mark(prepared, 'after the signal')
  await prepared.follower.untilRead()
  t.strictSame(read(prepared), all)
  t.ok(prepared.follower.records.every(({ topic }) => topic !== 'db.public.signals'))
  t.ok(
    prepared.follower.records
      .filter((record) => say(record).op === 'r')
      .every(({ value }) => String(value).includes('"snapshot":"incremental"')),
  )
})

test('a filter reads some rows, and sweeps none', async (t) => {
  const prepared = await prepare(t)
  const condition = { 'data-collection': 'public.items', filter: 'id % 5 = 0' }
  await prepared.signal('execute-snapshot', { ...items, 'additional-conditions': [condition] })
  await mark(prepared, 'after the signal')
  await prepared.follower.untilRead()
  t.strictSame(read(prepared), [5, 10, 15, 20])
  t.notOk(prepared.follower.records.some((record) => say(record).op === 't'))
})

test('a filter that the server refuses ends the snapshot, not the stream', async (t) => {
  const prepared = await prepare(t)
  const condition = { 'data-collection': 'public.items', filter: 'nonsense = 1' }
  await prepared.signal('execute-snapshot', { ...items, 'additional-conditions': [condition] })
  await mark(prepared, 'after the signal')
  await prepared.follower.untilRead()
  await mark(prepared, 'still streaming')
  t.strictSame(read(prepared), [])
  t.match(prepared.follower.said.join('\n'), /nonsense/)
})

test('a paused snapshot waits, through restarts, until it is resumed', async (t) => {
  const prepared = await prepare(t)
  const { follower, signal } = prepared
  await signal('pause-snapshot')
  await signal('execute-snapshot', items)
  await mark(prepared, 'paused')
  await mark(prepared, 'paused, after a restart')
  t.strictSame(read(prepared), [])
  t.match(follower.source.status().detail, {})
  await signal('resume-snapshot')
  await mark(prepared, 'resumed')
  await follower.untilRead()
  t.strictSame(read(prepared), all)
})

test('a cancelled snapshot reads no more', async (t) => {
  const prepared = await prepare(t)
  await prepared.signal('pause-snapshot')
  await prepared.signal('execute-snapshot', items)
  await prepared.signal('stop-snapshot', items)
  await prepared.signal('resume-snapshot')
  await mark(prepared, 'cancelled')
  await prepared.follower.untilRead()
  t.strictSame(read(prepared), [])
})

test('a signal that makes no sense is told, and skipped', async (t) => {
  const prepared = await prepare(t)
  const { database, follower } = prepared
  await database.query("INSERT INTO signals VALUES ('x', 'execute-snapshot', 'no JSON')")
  await prepared.signal('execute-snapshot', { 'data-collections': ['public.nothing'] })
  await mark(prepared, 'still streaming')
  t.match(follower.said.join('\n'), /not understood.*no table/s)
})

test('a second snapshot of a table sweeps rows that vanished without a word', async (t) => {
  const prepared = await prepare(t)
  await prepared.signal('execute-snapshot', items)
  await mark(prepared, 'first')
  await prepared.follower.untilRead()
  t.notOk(prepared.follower.records.some((record) => say(record).op === 't'))
  await prepared.signal('execute-snapshot', items)
  await mark(prepared, 'second')
  await prepared.follower.untilRead()
  const said = prepared.follower.records.map(say)
  const sweep = said.find(({ op }) => op === 't')!
  const second = said.filter(({ op }) => op === 'r').slice(20)
  t.equal(second.length, 20)
  const from = BigInt(sweep.headers!['millrace.sweep']!)
  t.ok(second.every(({ version }) => version >= from))
  t.ok(
    said
      .filter(({ op }) => op === 'r')
      .slice(0, 20)
      .every(({ version }) => version < from),
  )
  t.ok(sweep.version > second.at(-1)!.version)
})

test('a snapshot survives a table that changes its columns, its key, or is truncated', async (t) => {
  const prepared = await prepare(t, { 'snapshot.max.rows.per.second': 40 })
  const { database, follower, signal } = prepared
  await signal('execute-snapshot', items)
  await follower.follow(() => read(prepared).length >= 5, 1_000)
  await database.query(`ALTER TABLE items ADD note text DEFAULT 'new';
    ALTER TABLE items DROP CONSTRAINT items_pkey, ADD PRIMARY KEY (n, id)`)
  await mark(prepared, 'altered')
  await follower.untilRead()
  const rows = follower.records.filter((record) => say(record).op === 'r')
  const last = new Map(rows.map((record) => [JSON.parse(say(record).after).id, say(record).after]))
  t.strictSame(
    [...last.keys()].sort((a, b) => a - b),
    all,
  )
  t.match(last.get(20), /new/)

  await signal('execute-snapshot', items)
  await follower.follow(() => read(prepared).length > rows.length, 1_000)
  await database.query("TRUNCATE items; INSERT INTO items VALUES (1, 1, 'only')")
  await mark(prepared, 'truncated')
  await follower.untilRead()
  const said = follower.records.map(say).filter(({ topic }) => topic === 'db.public.items')
  const truncate = said.findIndex(({ op, headers }) => op === 't' && headers === undefined)
  t.ok(truncate > 0)
  t.ok(said.slice(truncate).every(({ op, after }) => op === 't' || /only/.test(after)))
})

test('a table that is dropped ends its snapshot', async (t) => {
  const prepared = await prepare(t, { tables: ['public.*'] })
  await prepared.signal('pause-snapshot')
  await prepared.signal('execute-snapshot', items)
  await mark(prepared, 'paused')
  const isTold = () => prepared.follower.said.some((line) => /does not exist any more/.test(line))
  const following = prepared.follower.follow(isTold, 1_000_000)
  while (prepared.follower.source.status().phase !== 'streaming') await sleep(10)
  await prepared.database.query('DROP TABLE items')
  await prepared.signal('resume-snapshot')
  await following
  t.ok(isTold())
})
