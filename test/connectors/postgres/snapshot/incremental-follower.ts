import { setTimeout as sleep } from 'node:timers/promises'
import { type PostgresOptions, postgresOptions } from '../../../../connectors/postgres/options.ts'
import { PostgresSource } from '../../../../connectors/postgres/source.ts'
import { MillraceError } from '../../../../src/core/errors.ts'
import type { NewRecord } from '../../../../src/core/record.ts'
import type { Position } from '../../../../src/core/source.ts'
import { Random } from '../../../crash/random.ts'
import type { TestDatabase } from '../../../support/servers/use.ts'
import { textOf } from '../reading.ts'
import { Fold } from './incremental-fold.ts'

/** A consumer that is killed now and then: what it has is what it had committed. */
export class Follower {
  readonly records: NewRecord[] = []
  fold = new Fold('db.public.items')
  position: Position | undefined
  source: PostgresSource
  readonly said: string[] = []
  lives = 0
  readonly #database: TestDatabase
  readonly #options: Partial<PostgresOptions>
  readonly #random: Random

  constructor(database: TestDatabase, options: Partial<PostgresOptions>, seed = 1) {
    this.#database = database
    this.#options = options
    this.#random = new Random(seed)
    this.source = this.#open()
  }

  /** Reads until told to stop; `mostBatches`: about so many batches between two kills. */
  async follow(until: (follower: Follower) => boolean, mostBatches: number): Promise<void> {
    if (until(this)) return
    while (!(await this.#live(until, this.#random.between(1, mostBatches)))) this.lives++
  }

  /** Reads, without being killed, until a record holds the marker. */
  async until(marker: string): Promise<void> {
    const from = this.records.length
    const has = () =>
      this.records
        .slice(from)
        .some(({ key, value }) => [key, value].some((part) => textOf(part).includes(marker)))
    await this.follow(has, 1_000_000)
  }

  /** Reads, without being killed, until no snapshot is left to be finished. */
  async untilRead(): Promise<void> {
    const isRead = () => this.kept.snapshot === undefined && this.kept.incremental === undefined
    await this.follow(isRead, 1_000_000)
  }

  get kept(): { readonly snapshot?: unknown; readonly incremental?: unknown } {
    return this.position === undefined ? { snapshot: true } : JSON.parse(this.position)
  }

  /** One life: whether it came to what was wanted. */
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
        this.records.push(...batch.records)
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
