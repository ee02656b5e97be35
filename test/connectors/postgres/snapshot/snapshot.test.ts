import { setTimeout as sleep } from 'node:timers/promises'
import { test } from 'tap'
import type { NewRecord } from '../../../../src/core/record.ts'
import { usePostgres } from '../../../support/servers/use.ts'
import { brings, openSource, read, type Said, say, snapshotEnds } from '../reading.ts'

/** Settings that would change how values look, if the connector did not see to its own. */
const foreignSettings = [
  "DateStyle = 'SQL, DMY'",
  "IntervalStyle = 'sql_standard'",
  "TimeZone = 'America/New_York'",
  'extra_float_digits = 0',
  "bytea_output = 'escape'",
]

const columns = `
  id int PRIMARY KEY, big bigint, exact numeric, scaled numeric(12,4), near double precision,
  small real, yes boolean, name text, padded char(8), code varchar(20), raw bytea, day date,
  clock time(3), zoned timetz, moment timestamp, instant timestamptz, span interval, doc json,
  tree jsonb, tag uuid, many int[], words text[], grid int[][], feeling mood, price amount,
  place pair, period tstzrange, bits bit varying, address inet`

const values = `
  (1, 9223372036854775807, 123456789012345678901234567890.5, 1.5, 0.1, 0.1, true, E'a\\n"b" ü 😀',
   'pad', 'code', '\\x00ff27', '0044-03-15 BC', '23:59:59.5', '12:00+05:30', '2024-02-29 12:34:56.789',
   '1883-11-18 12:00+00', '1 year -2 days 03:04:05.6', '{"a" : [1, 2.50]}', '{"b": 1.50}',
   'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '{1,NULL,3}', '{"a b",NULL,"NULL",""}', '{{1,2},{3,4}}',
   'happy', 12.50, '(1,"x y")', '[2024-01-01,)', '10101', '10.0.0.1/8'),
  (2, -1, 'NaN', 0, 'Infinity', 1e-30, false, '', '', '', '', 'infinity', '24:00', '00:00Z',
   '-infinity', 'infinity', '0', 'null', 'null', NULL, '{}', '{}', '{}', NULL, 0, '(,)', 'empty', '',
   '::1'),
  (3, ${new Array(28).fill('NULL').join(', ')})`

test('a row looks the same in the snapshot and in the stream', async (t) => {
  const database = await usePostgres(t)
  const { query } = database
  for (const setting of foreignSettings) {
    await query(`ALTER DATABASE ${database.database} SET ${setting}`)
  }
  await query(`
    CREATE TYPE mood AS ENUM ('happy', 'sad');
    CREATE DOMAIN amount AS numeric(8,2);
    CREATE TYPE pair AS (a int, b text);
    CREATE TABLE old (${columns});
    CREATE TABLE new (${columns});
    INSERT INTO old VALUES ${values}`)
  const tables = ['public.old', 'public.new']
  const snapshot = await read(openSource(database, tables), undefined, snapshotEnds)
  await query(`INSERT INTO new VALUES ${values}; INSERT INTO new (id, name) VALUES (4, 'the end')`)
  const stream = await read(openSource(database, tables), snapshot.position, brings('the end'))

  const copied = snapshot.records.map(say)
  t.strictSame(
    copied.map(({ op, topic }) => [op, topic]),
    new Array(3).fill(['r', 'db.public.old']),
  )
  t.strictSame(
    stream.records
      .map(say)
      .slice(0, 3)
      .map(({ key, after }) => ({ key, after })),
    copied.map(({ key, after }) => ({ key, after })),
  )
})

test('each chunk of a snapshot is a commit, and the stream goes on above', async (t) => {
  const database = await usePostgres(t)
  await database.query(`
    CREATE TABLE a (id int PRIMARY KEY, note text);
    CREATE TABLE b (id int PRIMARY KEY, note text);
    INSERT INTO a SELECT i, repeat('a', 50) FROM generate_series(1, 50) i;
    INSERT INTO b SELECT i, repeat('b', 50) FROM generate_series(1, 50) i`)
  const tables = ['public.a', 'public.b']
  const first = openSource(database, tables, { batchBytes: 2000 })
  const snapshot = await read(first, undefined, snapshotEnds)
  await database.query("INSERT INTO a VALUES (100, 'streamed')")
  await database.query("UPDATE b SET note = 'the end' WHERE id = 1")
  const stream = await read(openSource(database, tables), snapshot.position, brings('the end'))

  const chunks = snapshot.batches.filter(({ records }) => records.length > 0)
  t.ok(chunks.length > 4)
  t.ok(chunks.every(({ records }) => new Set(records.map(({ version }) => version)).size === 1))
  t.ok(chunks.every(({ records }) => records.at(-1)!.endsCommit))
  const versions = [...chunks, ...stream.batches].flatMap(({ records }) =>
    records.slice(0, 1).map(({ version }) => version),
  )
  t.ok(versions.every((version, i) => i === 0 || version > versions[i - 1]!))
  t.equal(new Set(snapshot.records.map(({ key }) => String(key))).size, 50)
  t.equal(snapshot.records.length, 100)
})

test('a snapshot that was cut off and goes on leaves nothing that has gone meanwhile', async (t) => {
  const database = await usePostgres(t)
  await database.query(`
    CREATE TABLE a (id int PRIMARY KEY, note text);
    INSERT INTO a SELECT i, repeat('a', 50) FROM generate_series(1, 50) i`)
  const open = () => openSource(database, ['public.a'], { batchBytes: 2000 })
  const cut = await read(open(), undefined, ({ records }) => records.length > 0)
  t.ok(cut.records.length < 50)
  await database.query("DELETE FROM a WHERE id < 5; UPDATE a SET note = 'newer' WHERE id = 5")
  await database.query("UPDATE a SET id = 101 WHERE id = 45; INSERT INTO a VALUES (102, 'the end')")
  const again = await read(
    open(),
    cut.position,
    (reading) => brings('the end')(reading) && snapshotEnds(reading),
  )
  const rows = await database.query('SELECT id, note FROM a ORDER BY id')
  t.strictSame(fold([...cut.records, ...again.records]), rows)
})

test('a snapshot that was never cut off sweeps nothing', async (t) => {
  const database = await usePostgres(t)
  await database.query('CREATE TABLE a (id int PRIMARY KEY); INSERT INTO a VALUES (1)')
  const { records } = await read(openSource(database, ['public.a']), undefined, snapshotEnds)
  t.strictSame(
    records.map((record) => say(record).op),
    ['r'],
  )
})

test('whoever stops in the middle of a table leaves no connection behind', async (t) => {
  const database = await usePostgres(t)
  await database.query(`
    CREATE TABLE a (id int PRIMARY KEY, note text);
    ALTER TABLE a ALTER note SET STORAGE EXTERNAL;
    INSERT INTO a SELECT i, repeat('a', 100000) FROM generate_series(1, 400) i`)
  const source = openSource(database, ['public.a'])
  await read(source, undefined, ({ records }) => records.length > 0)
  const mine = `SELECT pid FROM pg_stat_activity
    WHERE datname = current_database() AND application_name = 'millrace'`
  while ((await database.query(mine)).length > 0) await sleep(20)
  t.pass('all are closed')
})

test('a start that waits for a transaction of others ends when it is asked to', async (t) => {
  const database = await usePostgres(t)
  const { query } = database
  await query('CREATE TABLE a (id int PRIMARY KEY)')
  await query('BEGIN; INSERT INTO a VALUES (1)')
  const stop = new AbortController()
  const source = openSource(database, ['public.a'])
  const reading = (async () => {
    for await (const batch of source.read(undefined, stop.signal)) source.ack(batch.position)
  })()
  // Inside a transaction the server would show the same activity again and again.
  const waiting = `SELECT pg_stat_clear_snapshot(); SELECT 1 FROM pg_stat_activity
    WHERE datname = current_database() AND backend_type = 'walsender' AND wait_event_type = 'Lock'`
  while ((await query(waiting)).length === 0) await sleep(20)
  stop.abort()
  await reading.catch(() => {}) // What it was doing fails; what matters is that it ends.
  t.ok(stop.signal.aborted)
  await query('ROLLBACK')
})

/** The rows that are left when every record has done its part, as a sink would keep them. */
function fold(records: readonly NewRecord[]): unknown[] {
  const rows = new Map<string, Said>()
  for (const record of records.map(say)) {
    const { key, op, after, version, headers } = record
    if (op === 't') {
      const below = BigInt(headers?.['millrace.sweep'] ?? version)
      for (const [key, row] of rows) if (row.version < below) rows.delete(key)
    } else if (op === null || after === 'null') rows.delete(key!)
    else if ((rows.get(key!)?.version ?? 0n) > version) throw new Error(`${key} has fallen back`)
    else rows.set(key!, record)
  }
  const left = [...rows.values()].map(({ after }) => JSON.parse(after) as { id: number })
  return left.toSorted((a, b) => a.id - b.id)
}
