import { test } from 'tap'
import { type TestDatabase, usePostgres } from '../../../support/servers/use.ts'
import { say } from '../reading.ts'
import { Follower } from './incremental-follower.ts'

async function prepare({ query }: TestDatabase): Promise<void> {
  await query(`
    CREATE TABLE items (id int PRIMARY KEY, n int NOT NULL DEFAULT 0);
    CREATE TABLE marks (id serial PRIMARY KEY, note text);
    INSERT INTO items SELECT i FROM generate_series(1, 5) i`)
}

/** Operation and key of every record of a topic. */
function changes({ records }: Follower, topic = 'db.public.items'): string[] {
  return records
    .map(say)
    .filter((record) => record.topic === topic && record.op !== null)
    .map(({ op, key }) => `${op} ${key === null ? '' : JSON.parse(key).id}`)
}

async function mark({ query }: TestDatabase, follower: Follower, note: string): Promise<void> {
  await query(`INSERT INTO marks (note) VALUES ('${note}')`)
  await follower.until(note)
}

const five = [1, 2, 3, 4, 5].map((id) => `r ${id}`)

test('no_data and never stream what comes, and read nothing', async (t) => {
  for (const mode of ['no_data', 'never'] as const) {
    const database = await usePostgres(t)
    await prepare(database)
    const follower = new Follower(database, { 'snapshot.mode': mode })
    await follower.untilRead()
    await database.query('UPDATE items SET n = 1 WHERE id = 1')
    await mark(database, follower, 'the end')
    t.strictSame(changes(follower), ['u 1'], mode)
  }
})

test('initial_only reads, makes no slot, and ends for good', async (t) => {
  const database = await usePostgres(t)
  await prepare(database)
  const follower = new Follower(database, { 'snapshot.mode': 'initial_only' })
  await follower.untilRead()
  const position = follower.position
  const again = follower.source.read(position, new AbortController().signal)
  const rest = []
  for await (const batch of again) rest.push(batch)
  t.strictSame(rest, [])
  t.strictSame(changes(follower), five)
  const slots = await database.query(
    'SELECT 1 FROM pg_replication_slots WHERE database = current_database()',
  )
  t.strictSame(slots, [])
})

test('always reads at every start of the program, and sweeps', async (t) => {
  const database = await usePostgres(t)
  await prepare(database)
  const follower = new Follower(database, { 'snapshot.mode': 'always' })
  await follower.untilRead()
  t.strictSame(changes(follower), five)
  await mark(database, follower, 'second start')
  await follower.untilRead()
  t.strictSame(changes(follower), [...five, ...five, 't '])
})

test('when_needed makes a lost slot good: what vanished meanwhile is swept', async (t) => {
  const database = await usePostgres(t)
  await prepare(database)
  const follower = new Follower(database, { 'snapshot.mode': 'when_needed' })
  await follower.untilRead()
  await mark(database, follower, 'streaming')
  await dropSlot(database)
  await database.query('DELETE FROM items WHERE id < 3; UPDATE items SET n = 7 WHERE id = 3')
  await mark(database, follower, 'streaming again')
  await follower.untilRead()
  t.ok(changes(follower).includes('t '))
  t.strictSame(follower.fold.state.map(({ id, n }) => [id, n]).toSorted(), [
    [3, 7],
    [4, 0],
    [5, 0],
  ])
  t.strictSame(follower.fold.faults, [])
})

test('a lost slot stops the connector where the mode does not say otherwise', async (t) => {
  const database = await usePostgres(t)
  await prepare(database)
  const follower = new Follower(database, {})
  await follower.untilRead()
  await mark(database, follower, 'streaming')
  await dropSlot(database)
  await t.rejects(mark(database, follower, 'never seen'), { code: 'SLOT_LOST' })
})

async function dropSlot({ query, database }: TestDatabase): Promise<void> {
  for (;;) {
    try {
      await query('SELECT pg_drop_replication_slot($1)', [database])
      return
    } catch (error) {
      // Who read it a moment ago is still letting go of it.
      if ((error as { code?: string }).code !== '55006') throw error
    }
  }
}

test('a table that is added is read, and one that is removed ends', async (t) => {
  const database = await usePostgres(t)
  await prepare(database)
  const first = new Follower(database, { tables: ['public.marks'] })
  await first.untilRead()
  await mark(database, first, 'without items')

  // A transaction that wrote before the table was published: only a SELECT can show its row.
  const other = await openTransaction(database, 'INSERT INTO items VALUES (6)')
  const both = new Follower(database, { tables: ['public.marks', 'public.items'] })
  both.position = first.position
  const reading = both.until('{"id":6}')
  while (!both.said.some((line) => line.includes('waits for transactions'))) {
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  await other.commit()
  await reading
  await database.query('UPDATE items SET n = 2 WHERE id = 6')
  await mark(database, both, 'with items')
  t.strictSame(changes(both), [...five, 'r 6', 'u 6'])

  const without = new Follower(database, { tables: ['public.marks'] })
  without.position = both.position
  await database.query('UPDATE items SET n = 3 WHERE id = 1')
  await mark(database, without, 'without items again')
  t.strictSame(changes(without), [])
  const published = await database.query('SELECT tablename FROM pg_publication_tables')
  t.strictSame(published, [{ tablename: 'marks' }])

  await database.query('DELETE FROM items WHERE id = 2')
  const again = new Follower(database, { tables: ['public.marks', 'public.items'] })
  again.position = without.position
  await again.until('"op":"t"')
  t.strictSame(changes(again), ['r 1', 'r 3', 'r 4', 'r 5', 'r 6', 't '])
})

async function openTransaction(database: TestDatabase, statement: string) {
  const { default: pg } = await import('pg')
  const client = new pg.Client({ connectionString: database.url })
  await client.connect()
  await client.query('BEGIN')
  await client.query(statement)
  return {
    async commit() {
      await client.query('COMMIT')
      await client.end()
    },
  }
}

test('a table without key is read as a whole', async (t) => {
  const database = await usePostgres(t)
  const { query } = database
  await query(`
    CREATE TABLE items (note text, n int);
    ALTER TABLE items REPLICA IDENTITY FULL;
    CREATE TABLE marks (id serial PRIMARY KEY, note text);
    CREATE TABLE signals (id text, type text, data text);
    INSERT INTO items SELECT 'same', i / 2 FROM generate_series(1, 20) i`)
  const follower = new Follower(database, {
    ...{ 'snapshot.mode': 'no_data', 'incremental.snapshot.chunk.size': 3 },
    'signal.data.collection': 'public.signals',
  })
  await follower.untilRead()
  await query(`INSERT INTO signals VALUES ('1', 'execute-snapshot',
    '{"data-collections": ["public.items"]}')`)
  await mark(database, follower, 'after the signal')
  await follower.untilRead()
  const rows = follower.records.map(say).filter(({ topic }) => topic === 'db.public.items')
  t.strictSame(
    rows.map(({ after }) => JSON.parse(after).n).sort((a, b) => a - b),
    Array.from({ length: 20 }, (_, i) => Math.floor((i + 1) / 2)),
  )
})
