import type { NewRecord } from '../../../src/core/record.ts'
import type { Checkpoint, Outcome, Sink } from '../../../src/core/sink.ts'
import type { Batch } from '../../../src/core/source.ts'
import { type Delivery, parseRecord } from './delivery.ts'

/** Tells at which record a consumer is to stop, before it takes that record. */
export type StopAt = (delivery: Delivery) => boolean

/** Thrown by a consumer that was told to stop. */
export class ConsumerStopped extends Error {}

/** Stands between the pump and the log: sees what becomes durable, and can stop before a record. */
export class Consumer implements Sink<NewRecord> {
  /** What was committed through this consumer, in its order. */
  readonly delivered: Delivery[] = []
  /** For runs of more records than one wants to keep: they are counted only. */
  keeps = true
  count = 0
  readonly #sink: Sink<NewRecord>
  readonly #stopAt: StopAt | undefined
  #staged: Delivery[] = []
  #stagedCount = 0

  constructor(sink: Sink<NewRecord>, stopAt?: StopAt) {
    this.#sink = sink
    this.#stopAt = stopAt
  }

  resume(source: string) {
    this.#staged = []
    this.#stagedCount = 0
    return this.#sink.resume(source)
  }

  clear(source: string): Promise<void> {
    return this.#sink.clear(source)
  }

  async write(batch: Batch<NewRecord>): Promise<readonly Outcome[]> {
    const deliveries = this.keeps ? batch.records.map(parseRecord) : []
    if (this.#stopAt !== undefined && deliveries.some(this.#stopAt)) throw new ConsumerStopped()
    const outcomes = await this.#sink.write(batch)
    this.#staged.push(...deliveries)
    this.#stagedCount += batch.records.length
    return outcomes
  }

  async commit(checkpoint: Checkpoint): Promise<void> {
    await this.#sink.commit(checkpoint)
    this.delivered.push(...this.#staged)
    this.count += this.#stagedCount
    this.#staged = []
    this.#stagedCount = 0
  }

  close(): Promise<void> {
    return this.#sink.close()
  }
}
