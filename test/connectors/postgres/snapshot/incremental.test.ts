import { type Test, test } from 'tap'
import { type TestDatabase, usePostgres } from '../../../support/servers/use.ts'
import { Follower } from './incremental-follower.ts'
import { makeItems, writeItems } from './incremental-writers.ts'

const rows = 600
const seeds = (process.env.MILLRACE_SEEDS ?? '1,2').split(',').map(Number)

async function settle(t: Test, database: TestDatabase, follower: Follower): Promise<void> {
  await database.query(`INSERT INTO marks VALUES (1, 'the end')`)
  await follower.until('the end')
  const table = await database.query('SELECT part, id, n, note, big FROM items ORDER BY part, id')
  const expected = table.map((row) => ({ ...row, n: Number(row.n) }))
  const folded = follower.fold.state
    .map((row) => ({ part: row.part, id: row.id, n: Number(row.n), note: row.note, big: row.big }))
    .sort((a, b) => (a.part === b.part ? Number(a.id) - Number(b.id) : a.part! < b.part! ? -1 : 1))
  t.strictSame(follower.fold.faults, [])
  t.strictSame([...follower.fold.withheld], [])
  t.strictSame(differences(folded, expected), [])
}

function differences(folded: readonly object[], expected: readonly object[]): unknown[] {
  const index = (rows: readonly object[]) =>
    new Map(
      rows.map((row) => {
        const { part, id } = row as { part: string; id: number }
        return [`${part}/${id}`, JSON.stringify(row)]
      }),
    )
  const [a, b] = [index(folded), index(expected)]
  const short = (text: string | undefined) => text?.replace(/(.)\1{20,}/g, '$1…')
  return [...new Set([...a.keys(), ...b.keys()])]
    .filter((key) => a.get(key) !== b.get(key))
    .map((key) => ({ key, folded: short(a.get(key)), table: short(b.get(key)) }))
}

for (const seed of seeds) {
  test(`an incremental snapshot is exact beside writers, through kills (seed ${seed})`, async (t) => {
    const database = await usePostgres(t)
    await makeItems(database, rows)
    const options = {
      'snapshot.mode': 'no_data',
      'incremental.snapshot.chunk.size': 37,
      'signal.data.collection': 'public.signals',
    } as const
    await database.query('CREATE TABLE signals (id text, type text, data text)')
    const follower = new Follower(database, options, seed)
    await follower.follow(({ kept }) => kept.snapshot === undefined, 10)
    const stop = new AbortController()
    const writing = [1, 2, 3].map((i) =>
      writeItems(database, { seed: seed * 10 + i, rows, signal: stop.signal }),
    )
    // A slow SELECT, so that much changes between a chunk's snapshot and its watermark.
    const slowly = { 'data-collection': 'public.items', filter: 'pg_sleep(0.002) IS NOT NULL' }
    const data = { 'data-collections': ['public.items'], 'additional-conditions': [slowly] }
    await database.query("INSERT INTO signals VALUES ('1', 'execute-snapshot', $1)", [
      JSON.stringify(data),
    ])
    await follower.follow(({ kept }) => kept.incremental !== undefined, 30)
    await follower.follow(({ kept }) => kept.incremental === undefined, 30)
    stop.abort()
    const commits = (await Promise.all(writing)).reduce((sum, one) => sum + one, 0)
    t.comment(`${commits} commits, ${follower.lives} kills, ${follower.fold.reads} rows read`)
    t.ok(follower.fold.reads > 0)
    await settle(t, database, follower)
  })

  test(`an interrupted initial snapshot goes on, beside writers (seed ${seed})`, async (t) => {
    const database = await usePostgres(t)
    await makeItems(database, rows)
    const options = { 'incremental.snapshot.chunk.size': 37 }
    const follower = new Follower(database, options, seed + 100)
    const stop = new AbortController()
    const writing = [1, 2, 3].map((i) =>
      writeItems(database, { seed: seed * 10 + i, rows, signal: stop.signal }),
    )
    await follower.follow(({ fold }) => fold.reads > 0, 100)
    const early = follower.fold.reads
    await follower.follow(
      ({ kept }) => kept.snapshot === undefined && kept.incremental === undefined,
      30,
    )
    stop.abort()
    const commits = (await Promise.all(writing)).reduce((sum, one) => sum + one, 0)
    t.comment(
      `${commits} commits, ${follower.lives} kills, ${early} and ${follower.fold.reads - early} rows read`,
    )
    t.ok(follower.said.every((line) => !line.includes('slot') || line.includes('created')))
    await settle(t, database, follower)
  })
}
