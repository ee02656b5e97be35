import { setTimeout as sleep } from 'node:timers/promises'
import { type Test, test } from 'tap'
import type { PostgresOptions } from '../../../connectors/postgres/options.ts'
import { postgresOptions } from '../../../connectors/postgres/options.ts'
import { PostgresSource } from '../../../connectors/postgres/source.ts'
import { MillraceError } from '../../../src/core/errors.ts'
import type { Position } from '../../../src/core/source.ts'
import { Random } from '../../crash/random.ts'
import { type TestDatabase, usePostgres } from '../../support/servers/use.ts'
import { Fold } from './incremental-fold.ts'
import { makeItems, writeItems } from './incremental-writers.ts'
import { textOf } from './reading.ts'

const rows = 600
const seeds = (process.env.MILLRACE_SEEDS ?? '1,2').split(',').map(Number)

/** A consumer that is killed now and then: what it has is what it had committed. */
class Follower {
  fold = new Fold('db.public.items')
  position: Position | undefined
  source: PostgresSource
  readonly said: string[] = []
  lives = 0
  readonly #database: TestDatabase
  readonly #options: Partial<PostgresOptions>
  readonly #random: Random

  constructor(database: TestDatabase, options: Partial<PostgresOptions>, seed: number) {
    this.#database = database
    this.#options = options
    this.#random = new Random(seed)
    this.source = this.#open()
  }

  /** Reads until told to stop; `mostBatches`: about so many batches between two kills. */
  async follow(until: (follower: Follower) => boolean, mostBatches: number): Promise<void> {
    while (!(await this.#live(until, this.#random.between(1, mostBatches)))) this.lives++
  }

  get kept(): { readonly snapshot?: unknown; readonly incremental?: unknown } {
    return this.position === undefined ? { snapshot: true } : JSON.parse(this.position)
  }

  async #live(until: (follower: Follower) => boolean, batches: number): Promise<boolean> {
    const stop = new AbortController()
    this.source = this.#open()
    let count = 0
    try {
      for await (const batch of this.source.read(this.position, stop.signal)) {
        // Killed between write and commit.
        if (++count > batches) return false
        const fold = this.fold.copy()
        for (const record of batch.records) fold.apply(record)
        this.fold = fold
        this.position = batch.position
        this.source.ack(batch.position)
        if (until(this)) return true
      }
    } catch (error) {
      if (!(error instanceof MillraceError) || error.kind !== 'transient') throw error
      await sleep(30)
    }
    return false
  }

  #open(): PostgresSource {
    const options = postgresOptions.parse({
      ...{ url: this.#database.url, tables: ['public.items', 'public.marks'] },
      ...{ 'slot.name': this.#database.database, ...this.#options },
    })
    const say = (line: string) => void this.said.push(line)
    const context = { pipeline: 'test', name: 'db', say }
    return new PostgresSource(options, context, { batchBytes: 20_000, chunkPages: 4 })
  }
}

async function settle(t: Test, database: TestDatabase, follower: Follower): Promise<void> {
  await database.query(`INSERT INTO marks VALUES (1, 'the end')`)
  let seen = false
  const apply = follower.fold.apply
  const watch = (fold: Fold) => {
    fold.apply = (record) => {
      if (textOf(record.value).includes('the end')) seen = true
      apply.call(fold, record)
    }
    const copy = fold.copy
    fold.copy = () => watch(copy.call(fold))
    return fold
  }
  watch(follower.fold)
  await follower.follow(() => seen, 100_000)
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
    await database.query(`INSERT INTO signals VALUES ('1', 'execute-snapshot',
      '{"type": "incremental", "data-collections": ["public.items"]}')`)
    await follower.follow(({ kept }) => kept.incremental !== undefined, 30)
    await follower.follow(({ kept }) => kept.incremental === undefined, 30)
    stop.abort()
    await Promise.all(writing)
    t.comment(`${follower.lives} kills, ${follower.fold.reads} rows read`)
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
    await Promise.all(writing)
    t.comment(`${follower.lives} kills, ${early} and ${follower.fold.reads - early} rows read`)
    t.ok(follower.said.every((line) => !line.includes('slot') || line.includes('created')))
    await settle(t, database, follower)
  })
}
