import { type Test, test } from 'tap'
import type { PostgresOptions } from '../../../../connectors/postgres/options.ts'
import type { NewRecord } from '../../../../src/core/record.ts'
import { sweepHeader } from '../../../../src/core/record.ts'
import type { Batch } from '../../../../src/core/source.ts'
import { usePostgres } from '../../../support/servers/use.ts'
import { openSource, type Reading, read, say, snapshotEnds } from '../reading.ts'

/** 12 MB of rows, each twice. */
const fill = `
  CREATE TABLE logs (n int, body text);
  ALTER TABLE logs ALTER body SET STORAGE EXTERNAL, REPLICA IDENTITY FULL;
  CREATE TABLE marks (id int PRIMARY KEY);
  CREATE TABLE signals (id text, type text, data text);
  INSERT INTO logs SELECT i / 2, repeat(md5((i / 2)::text), 125) FROM generate_series(0, 2999) i`

const options: Partial<PostgresOptions> = {
  ...{ 'snapshot.mode': 'no_data', 'signal.data.collection': 'public.signals' },
}

test('a large table without key enters the stream in parts, not as a whole', async (t) => {
  const { open, position, ask } = await prepared(t)
  await ask()
  const { records, batches } = await read(open(), position, isRead)
  t.ok(batches.length > 8, `${batches.length} batches`)
  t.ok(Math.max(...batches.map(bytesOf)) < 3_000_000, 'none of them is large')
  t.ok(batches.every(({ records }) => new Set(records.map(({ version }) => version)).size <= 2))
  t.equal(records.filter((record) => say(record).op === 'r').length, 3_000)
})

test('one that is cut off in the middle is read anew, and leaves no row twice', async (t) => {
  const { open, position, ask, query } = await prepared(t)
  await ask()
  const isInside = ({ records }: Reading) => records.length > 700
  const cut = await read(open(), position, isInside)
  t.ok(cut.records.length < 3_000)
  await query('DELETE FROM logs WHERE n < 100')
  await query("UPDATE logs SET body = 'short' WHERE n = 200")
  await query('INSERT INTO logs SELECT 900000 + i FROM generate_series(1, 5) i')
  const rest = await read(open(), cut.position, isRead)
  const rows = await query('SELECT n, body FROM logs ORDER BY n, body')
  t.strictSame(rowsLeft([...cut.records, ...rest.records]), rows)
})

async function prepared(t: Test) {
  const database = await usePostgres(t)
  const { query } = database
  await query(fill)
  const directory = t.testdir()
  const open = () => openSource(database, ['public.logs', 'public.marks'], { options, directory })
  const { position } = await read(open(), undefined, snapshotEnds)
  const data = JSON.stringify({ 'data-collections': ['public.logs'] })
  const ask = () => query("INSERT INTO signals VALUES ('s', 'execute-snapshot', $1)", [data])
  return { query, open, ask, position: position! }
}

/** The run has begun, and is over. */
function isRead(reading: Reading): boolean {
  return reading.records.some((record) => say(record).op === 'r') && snapshotEnds(reading)
}

function bytesOf({ records }: Batch<NewRecord>): number {
  return records.reduce((sum, { value }) => sum + (value?.length ?? 0), 0)
}

/** As whoever keeps the rows in a list would have them. */
function rowsLeft(records: readonly NewRecord[]): unknown[] {
  let rows: { readonly row: string; readonly version: bigint }[] = []
  for (const record of records) {
    const { op, before, after, version, headers, topic } = say(record)
    if (topic !== 'db.public.logs') continue
    const below = BigInt(headers?.[sweepHeader] ?? version)
    if (op === 't') rows = rows.filter((row) => row.version >= below)
    const gone = before === 'null' ? -1 : rows.findIndex(({ row }) => row === before)
    if (gone >= 0) rows.splice(gone, 1)
    if (after !== 'null' && op !== 't') rows.push({ row: after, version })
  }
  const left = rows.map(({ row }) => JSON.parse(row) as { n: number; body: string | null })
  return left.toSorted((a, b) => a.n - b.n || String(a.body).localeCompare(String(b.body)))
}
