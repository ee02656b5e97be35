import { setTimeout as sleep } from 'node:timers/promises'
import { type Test, test } from 'tap'
import type { PostgresPosition } from '../../../../connectors/postgres/position.ts'
import type { NewRecord } from '../../../../src/core/record.ts'
import { type TestDatabase, usePostgres } from '../../../support/servers/use.ts'
import { brings, openSource, type Reading, read, say, snapshotEnds } from '../reading.ts'
import { Fold } from './incremental-fold.ts'

const tables = ['public.items', 'public.others']

/** Rows of both tables: four pages make a range, so that each has several. */
const count = 3_000

const sizes = { chunkPages: 4, batchBytes: 10_000 }

test('an initial snapshot that was cut off goes on with the ranges that are left', async (t) => {
  const database = await filled(t)
  const options = { 'snapshot.max.threads': 3 }
  const open = () => openSource(database, tables, { options, ...sizes })
  const ranges = (reading: Reading) =>
    left(reading).find(({ table }) => table === 'public.items')?.ranges.length ?? 0
  let most = 0
  const isBegun = (reading: Reading) => {
    most = Math.max(most, ranges(reading))
    return most > 3 && ranges(reading) <= most / 2
  }
  const cut = await read(open(), undefined, isBegun)
  t.ok(most > 3, `${most} ranges`)
  t.ok(ranges(cut) > 1, `${ranges(cut)} ranges are left`)
  await change(database)
  // Cut off once more, in the middle of what was left.
  const more = await read(open(), cut.position, ({ records }) => records.length > 300)
  await database.query("INSERT INTO items VALUES (100001, 'the end')")
  const isOver = (reading: Reading) => brings('the end')(reading) && snapshotEnds(reading)
  const rest = await read(open(), more.position, isOver)
  const all = [...cut.records, ...more.records, ...rest.records]
  await agrees(t, database, all)
  const reads = all.filter((record) => record.topic === 'db.public.items' && say(record).op === 'r')
  t.ok(reads.length < count * 1.5, `${reads.length} of ${count} rows were read`)
})

test('once half of the WAL that a slot may keep is used, the rest is read while streaming', async (t) => {
  const settings = { max_slot_wal_keep_size: '64MB', max_wal_size: '512MB' }
  const database = await filled(t, settings)
  const options = { 'snapshot.max.rows.per.second': 1_000, 'snapshot.max.threads': 1 }
  const source = openSource(database, tables, { options, ...sizes })
  let handedOver = 0
  const isOver = (reading: Reading) => {
    const { snapshot, incremental } = JSON.parse(reading.position!)
    if (handedOver === 0 && snapshot === undefined && incremental !== undefined) {
      handedOver = reading.records.length
    }
    return brings('the end')(reading) && snapshotEnds(reading)
  }
  const reading = read(source, undefined, isOver)
  while (source.status().phase !== 'snapshot') await sleep(10)
  await sleep(300)
  for (let i = 0; i < 45; i++) {
    await database.query("SELECT pg_logical_emit_message(false, 'x', repeat('y', 1000000))")
  }
  await change(database)
  while (source.status().phase !== 'streaming') await sleep(20)
  await database.query("INSERT INTO items VALUES (100001, 'the end')")
  const { records } = await reading
  t.ok(handedOver > 0 && handedOver < count, `after ${handedOver} rows`)
  await agrees(t, database, records)
})

async function filled(t: Test, settings: Readonly<Record<string, string>> = {}) {
  const database = await usePostgres(t, Object.keys(settings).length > 0 ? { settings } : {})
  for (const table of ['items', 'others']) {
    await database.query(`
      CREATE TABLE ${table} (id int PRIMARY KEY, note text);
      INSERT INTO ${table} SELECT i, repeat('a', 100) FROM generate_series(1, ${count}) i;
      ANALYZE ${table}`)
  }
  return database
}

/** Rows everywhere go, change, move and come. */
async function change({ query }: TestDatabase): Promise<void> {
  for (const table of ['items', 'others']) {
    await query(`
      DELETE FROM ${table} WHERE id % 10 = 1;
      UPDATE ${table} SET note = 'newer' WHERE id % 10 = 2;
      UPDATE ${table} SET id = id + 50000 WHERE id % 10 = 3;
      INSERT INTO ${table} SELECT i, 'new' FROM generate_series(90001, 90100) i`)
  }
}

async function agrees(t: Test, { query }: TestDatabase, records: readonly NewRecord[]) {
  for (const table of ['items', 'others']) {
    const fold = new Fold(`db.public.${table}`)
    for (const record of records) fold.apply(record)
    const rows = await query<{ id: number }>(`SELECT id, note FROM ${table} ORDER BY id`)
    const found = fold.state.toSorted((a, b) => Number(a.id) - Number(b.id))
    t.strictSame(found, rows, table)
    t.strictSame(fold.faults, [])
  }
}

function left({ position }: Reading) {
  const { snapshot } = JSON.parse(position!) as Pick<PostgresPosition, 'snapshot'>
  return snapshot?.left ?? []
}
