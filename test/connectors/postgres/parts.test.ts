import { type Test, test } from 'tap'
import type { NewRecord } from '../../../src/core/record.ts'
import type { Position } from '../../../src/core/source.ts'
import { type TestDatabase, usePostgres } from '../../support/servers/use.ts'
import { brings, openSource, type Reading, read, type Said, say, snapshotEnds } from './reading.ts'

const schema = `
  CREATE TABLE a (id int PRIMARY KEY, note text);
  CREATE TABLE b (id int PRIMARY KEY, note text);
  CREATE TABLE c (id int PRIMARY KEY, note text);
  INSERT INTO a VALUES (-1, 'one'), (-2, 'two');
  INSERT INTO c VALUES (-1, 'one')`

/** One commit of every kind of change, whose records are many batches of the size below. */
const giant = `
  BEGIN;
  TRUNCATE b, c;
  INSERT INTO a SELECT i, repeat('a', 30) FROM generate_series(1, 12) i;
  INSERT INTO b VALUES (1, 'only one');
  UPDATE a SET id = id + 100 WHERE id IN (3, 4);
  DELETE FROM a WHERE id = 5;
  INSERT INTO c SELECT i, repeat('c', 30) FROM generate_series(1, 9) i;
  UPDATE a SET note = 'changed' WHERE id < 0;
  DELETE FROM c WHERE id = 9;
  COMMIT`
const batchBytes = 900
const tables = ['public.a', 'public.b', 'public.c']

async function prepare(t: Test): Promise<{ database: TestDatabase; start: Position }> {
  const database = await usePostgres(t)
  await database.query(schema)
  const { position } = await read(openSource(database, tables), undefined, snapshotEnds)
  return { database, start: position! }
}

/** Reads with a slot of its own, so that the same commits can be read again and again. */
async function copySlot({ query, database }: TestDatabase, name: string): Promise<void> {
  await query('SELECT pg_copy_logical_replication_slot($1, $2)', [database, name])
}

function through(database: TestDatabase, slot: string, start: Position) {
  const options = { 'slot.name': slot, 'publication.name': database.database }
  const source = () => openSource(database, tables, { options, batchBytes })
  return { source, from: JSON.stringify({ ...JSON.parse(start), slot }) as Position }
}

const told = (records: readonly NewRecord[]): Said[] => records.map(say)

test('a commit larger than a batch goes out in parts, and ends once in each topic', async (t) => {
  const { database, start } = await prepare(t)
  await database.query(`${giant}; INSERT INTO a VALUES (1000, 'the end')`)
  const source = openSource(database, tables, { batchBytes })
  const { batches, records } = await read(source, start, brings('the end'))

  const parts = batches.filter(({ complete }) => !complete)
  t.ok(parts.length > 3, `${parts.length} parts`)
  const commit = told(records).filter(({ version }) => version === records[0]!.version)
  for (const topic of ['db.public.a', 'db.public.b', 'db.public.c']) {
    const ends = commit.filter((record) => record.topic === topic).map((each) => each.endsCommit)
    t.strictSame(
      ends,
      ends.map((_, i) => i === ends.length - 1),
      `${topic} ends with its last record only`,
    )
    const ordinals = commit.filter((record) => record.topic === topic).map((each) => each.ordinal)
    t.strictSame(
      ordinals,
      ordinals.toSorted((x, y) => x - y),
    )
  }
  t.ok(parts.every(({ records }) => records.every(({ endsCommit }) => !endsCommit)))
  t.ok(batches.every(({ records }) => records.length > 0))
})

test('cut off after any part, a new source goes on as if nothing had been', async (t) => {
  const { database, start } = await prepare(t)
  await copySlot(database, `${database.database}_whole`)
  await database.query(`${giant}; INSERT INTO a VALUES (1000, 'the end')`)
  const whole = through(database, `${database.database}_whole`, start)
  const undisturbed = await read(whole.source(), whole.from, brings('the end'))

  // The reader that is cut off acknowledges nothing before the end: a slot cannot go back.
  const { source, from } = through(database, database.database, start)
  for (let cut = 1; cut < undisturbed.batches.length; cut++) {
    const first = await readUnacknowledged(source(), from, cut)
    const rest = await readUnacknowledged(source(), first.position!, Number.POSITIVE_INFINITY)
    t.strictSame(
      told([...first.records, ...rest.records])
        .map(flat)
        .sort(),
      told(undisturbed.records).map(flat).sort(),
      `cut after ${cut} of ${undisturbed.batches.length} batches`,
    )
    t.strictSame(perTopic([...first.records, ...rest.records]), perTopic(undisturbed.records))
  }
})

test('cut off after every part in turn, nothing is lost or doubled', async (t) => {
  const { database, start } = await prepare(t)
  await copySlot(database, `${database.database}_whole`)
  await database.query(`${giant}; INSERT INTO a VALUES (1000, 'the end')`)
  const whole = through(database, `${database.database}_whole`, start)
  const undisturbed = await read(whole.source(), whole.from, brings('the end'))

  const records: NewRecord[] = []
  let from = start
  while (!records.some((record) => say(record).after.includes('the end'))) {
    const one = await read(openSource(database, tables, { batchBytes }), from, () => true)
    records.push(...one.records)
    from = one.position!
  }
  t.strictSame(perTopic(records), perTopic(undisturbed.records))
})

test('a row larger than a batch goes through, alone in its commit or among others', async (t) => {
  const { database, start } = await prepare(t)
  await database.query(`
    INSERT INTO a VALUES (1, repeat('x', 5000));
    BEGIN;
    INSERT INTO a VALUES (2, repeat('y', 5000));
    INSERT INTO b VALUES (2, repeat('y', 5000));
    INSERT INTO a VALUES (3, repeat('z', 5000));
    COMMIT;
    INSERT INTO a VALUES (1000, 'the end')`)
  const source = openSource(database, tables, { batchBytes })
  const { records } = await read(source, start, brings('the end'))
  t.strictSame(
    told(records)
      .map(({ key }) => key)
      .sort(),
    ['{"id":1000}', '{"id":1}', '{"id":2}', '{"id":2}', '{"id":3}'],
  )
})

test('a table emptied beside others keeps its place before the rows that follow', async (t) => {
  const { database, start } = await prepare(t)
  await database.query(`
    BEGIN;
    TRUNCATE a, b;
    INSERT INTO a SELECT i, repeat('a', 200) FROM generate_series(1, 20) i;
    COMMIT;
    INSERT INTO c VALUES (1000, 'the end')`)
  const source = openSource(database, tables, { batchBytes })
  const { records } = await read(source, start, brings('the end'))
  const ofA = told(records).filter(({ topic }) => topic === 'db.public.a')
  t.equal(ofA[0]!.op, 't')
  t.strictSame(
    ofA.slice(1).map(({ op }) => op),
    new Array(20).fill('c'),
  )
})

async function readUnacknowledged(
  source: ReturnType<typeof openSource>,
  from: Position,
  count: number,
): Promise<Reading> {
  const ack = source.ack
  source.ack = () => {}
  const isEnough = brings('the end')
  const reading = await read(
    source,
    from,
    (reading) => reading.batches.length >= count || isEnough(reading),
  )
  source.ack = ack
  return reading
}

/** In each topic order counts; between topics the parts of a commit may mix. */
function perTopic(records: readonly NewRecord[]) {
  return ['a', 'b', 'c'].map((name) =>
    told(records)
      .filter(({ topic }) => topic === `db.public.${name}`)
      .map(flat),
  )
}

function flat(said: Said): string {
  return JSON.stringify({ ...said, version: String(said.version) })
}
