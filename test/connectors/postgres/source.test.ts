import { setTimeout as sleep } from 'node:timers/promises'
import { type Test, test } from 'tap'
import { acknowledged, decodePosition } from '../../../connectors/postgres/position.ts'
import { connect } from '../../../connectors/postgres/session.ts'
import { dropSlot } from '../../../connectors/postgres/slot/slot.ts'
import type { PostgresSource } from '../../../connectors/postgres/source.ts'
import { formatLsn, parseLsn } from '../../../connectors/postgres/wal/lsn.ts'
import { Meter } from '../../../src/core/meter.ts'
import { pump } from '../../../src/core/pump.ts'
import type { NewRecord } from '../../../src/core/record.ts'
import type { Position } from '../../../src/core/source.ts'
import { supervise } from '../../../src/core/supervise.ts'
import { openEmbeddedLog } from '../../../src/log/embedded.ts'
import { execute } from '../../support/servers/postgres.ts'
import { type TestDatabase, usePostgres } from '../../support/servers/use.ts'
import { brings, openSource, read, say, snapshotEnds, textOf } from './reading.ts'

const tables = ['public.a', 'public.b']

/** A position of its own is wanted, so the slot of the one before must go. */
async function startOver({ url, database: slot }: TestDatabase): Promise<void> {
  const replication = await connect(url, true)
  await dropSlot(replication, slot)
  await replication.end()
}

async function prepare(t: Test): Promise<{ database: TestDatabase; start: Position }> {
  const database = await usePostgres(t)
  await database.query(`
    CREATE TABLE a (id int PRIMARY KEY, note text);
    CREATE TABLE b (id int PRIMARY KEY, note text)`)
  const { position } = await read(openSource(database, tables), undefined, snapshotEnds)
  return { database, start: position! }
}

async function confirmed({ query, database }: TestDatabase): Promise<bigint> {
  const slots = 'SELECT confirmed_flush_lsn AS lsn FROM pg_replication_slots WHERE slot_name = $1'
  const [slot] = await query<{ lsn: string }>(slots, [database])
  return parseLsn(slot!.lsn)
}

/** Ends one kind of the connector's connections. */
async function terminate({ query }: TestDatabase, backendType: string): Promise<void> {
  await query(
    `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
      WHERE datname = current_database() AND application_name = 'millrace' AND backend_type = $1`,
    [backendType],
  )
}

/** Reads in the background, until stopped; keeps what came. */
function follow(source: PostgresSource, from: Position) {
  const stop = new AbortController()
  const records: NewRecord[] = []
  const ended = (async () => {
    for await (const batch of source.read(from, stop.signal)) {
      records.push(...batch.records)
      source.ack(batch.position)
    }
  })()
  ended.catch(() => {}) // Whoever waits for it gets it.
  return {
    records,
    ended,
    async has(marker: string) {
      while (!records.some(({ value }) => textOf(value).includes(marker))) {
        await Promise.race([sleep(20), ended])
      }
    },
    async stop() {
      stop.abort()
      await ended
    },
  }
}

test('versions rise from commit to commit, over restarts too', async (t) => {
  const { database, start } = await prepare(t)
  const { query } = database
  await query("INSERT INTO a VALUES (1, 'one')")
  await query("BEGIN; INSERT INTO a VALUES (2, 'two'); INSERT INTO b VALUES (2, 'two'); COMMIT")
  const first = await read(openSource(database, tables), start, brings('two'))
  await query("UPDATE a SET note = 'three' WHERE id = 1")
  await query("DELETE FROM b; INSERT INTO b VALUES (3, 'the end')")
  const second = await read(openSource(database, tables), first.position, brings('the end'))

  const versions = [...first.records, ...second.records].map(({ version }) => version)
  t.strictSame(
    versions,
    versions.toSorted((x, y) => Number(x - y)),
  )
  const commits = [...first.records, ...second.records].reduce(
    (counts, { version }) => counts.set(version, (counts.get(version) ?? 0) + 1),
    new Map<bigint, number>(),
  )
  t.strictSame([...commits.values()], [1, 2, 1, 3])
})

test('nothing is acknowledged before it is told to be durable', async (t) => {
  const { database, start } = await prepare(t)
  await database.query("INSERT INTO a VALUES (1, 'one'); INSERT INTO a VALUES (2, 'two')")
  const before = await confirmed(database)
  const source = openSource(database, tables)
  const stop = new AbortController()
  let end: Position | undefined
  for await (const batch of source.read(start, stop.signal)) {
    end = batch.position
    if (batch.records.some(({ value }) => textOf(value).includes('two'))) break
  }
  t.equal(await confirmed(database), before)
  await read(openSource(database, tables), start, brings('two'))
  const target = acknowledged(decodePosition(end!))
  while ((await confirmed(database)) < target) await sleep(20)
  t.equal(formatLsn(await confirmed(database)), formatLsn(target))
})

test('at all times the log holds what the server was told to forget', async (t) => {
  const { database } = await prepare(t)
  await database.query('TRUNCATE a, b')
  await startOver(database)
  const log = await openEmbeddedLog({ path: t.testdir() })
  const writer = log.writer('test.db')
  const source = openSource(database, tables)
  const stop = new AbortController()
  const deadLetters = async () => {}
  const pipe = { source, sink: writer, deadLetters, meter: new Meter() }
  const pumping = pump(pipe, stop.signal)
  pumping.catch(() => {})
  const samples: { readonly confirmed: bigint; readonly stored: bigint }[] = []
  const reader = log.writer('test.db')
  while (source.status().phase !== 'streaming') await Promise.race([sleep(20), pumping])
  for (let i = 0; i < 200; i++) {
    await database.query('INSERT INTO a VALUES ($1)', [i])
    const forgotten = await confirmed(database)
    const stored = decodePosition((await reader.resume('db'))!)
    samples.push({ confirmed: forgotten, stored: acknowledged(stored) })
  }
  stop.abort()
  await pumping
  await log.close()
  t.ok(samples.every(({ confirmed, stored }) => stored >= confirmed))
  t.ok(new Set(samples.map(({ confirmed }) => confirmed)).size > 1, 'the slot has moved')
})

test('an idle database lets the server forget what others write', async (t) => {
  const { database, start } = await prepare(t)
  const following = follow(openSource(database, tables), start)
  const before = await confirmed(database)
  const busy = `busy_${database.database}`
  await execute(
    database.adminUrl,
    `CREATE TABLE ${busy} (note text);
     ALTER TABLE ${busy} ALTER note SET STORAGE EXTERNAL;
     INSERT INTO ${busy} SELECT repeat('x', 100000) FROM generate_series(1, 250);
     DROP TABLE ${busy}`,
  )
  const target = before + 16n * 1024n * 1024n
  while ((await confirmed(database)) < target) await Promise.race([sleep(50), following.ended])
  await database.query("INSERT INTO a VALUES (1, 'after idling')")
  await following.has('after idling')
  await following.stop()
  t.strictSame(
    following.records.map((record) => say(record).key),
    ['{"id":1}'],
  )
})

test('the connection for questions may break, and the program goes on by itself', async (t) => {
  const { database } = await prepare(t)
  await startOver(database)
  const log = await openEmbeddedLog({ path: t.testdir() })
  const stop = new AbortController()
  const meter = new Meter()
  const pipe = {
    ...{ source: openSource(database, tables), sink: log.writer('test.db'), meter },
    deadLetters: async () => {},
  }
  const running = supervise((signal) => pump(pipe, signal), meter, stop.signal)
  const has = async (topic: string) => {
    const arrived = async () =>
      (await log.describe()).topics.find((each) => each.topic === topic)?.partitions[0]?.end
    while ((await arrived()) === undefined) await Promise.race([sleep(20), running])
    return await arrived()
  }
  await database.query("INSERT INTO a VALUES (1, 'before')")
  t.equal(await has('db.public.a'), 1n)
  await terminate(database, 'client backend')
  await database.query("INSERT INTO b VALUES (1, 'a table that was not met yet')")
  t.equal(await has('db.public.b'), 1n)
  stop.abort()
  await running
  await log.close()
})

test('a broken stream is an error that passes, and nothing is missing afterwards', async (t) => {
  const { database, start } = await prepare(t)
  const following = follow(openSource(database, tables), start)
  await database.query("INSERT INTO a VALUES (1, 'before')")
  await following.has('before')
  await terminate(database, 'walsender')
  await t.rejects(following.ended, { name: 'MillraceError', kind: 'transient' })
  await database.query("INSERT INTO a VALUES (2, 'the end')")
  const { records } = await read(openSource(database, tables), start, brings('the end'))
  t.strictSame(
    records.map((record) => say(record).key),
    ['{"id":1}', '{"id":2}'],
  )
})

test('a URL without a password says what is missing', async (t) => {
  const { database, start } = await prepare(t)
  const url = new URL(database.url)
  url.password = ''
  const source = openSource({ ...database, url: url.href }, tables)
  await t.rejects(
    read(source, start, () => true),
    { code: 'ACCESS_DENIED', kind: 'paused' },
  )
})
