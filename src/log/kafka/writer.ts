import { MillraceError } from '../../core/errors.ts'
import type { NewRecord } from '../../core/record.ts'
import type { Checkpoint, Outcome, Sink } from '../../core/sink.ts'
import type { Batch, Position } from '../../core/source.ts'
import { Cluster } from './cluster.ts'
import { Outlet } from './outlet.ts'
import {
  type OpenPartition,
  positionEntry,
  positionTopic,
  readSettled,
  type StoredPosition,
} from './position-record.ts'
import { Producer } from './producer.ts'
import { ensureTopic } from './topics.ts'
import type { KafkaWiring } from './wiring.ts'

/**
 * Appends records, with the position they came from in the same transaction.
 *
 * `resume` only reads the position; the producer is opened, and with it whoever wrote under this
 * name is fenced, when the first batch has come: so a standby that has not taken over the source,
 * as it cannot have the slot, does not disturb the writer that has. If that one wrote on meanwhile,
 * the position is another one by then, and the standby starts again from it.
 */
export class KafkaWriter implements Sink<NewRecord> {
  readonly name: string
  readonly #wiring: KafkaWiring
  #position: Position | undefined
  #opened: { readonly producer: Producer; readonly outlet: Outlet } | undefined
  #complete = true

  constructor(wiring: KafkaWiring, name: string) {
    this.#wiring = wiring
    this.name = name
  }

  async resume(_source: string): Promise<Position | undefined> {
    await this.#drop()
    this.#position = (await this.#read())?.position ?? undefined
    return this.#position
  }

  /** What this writer wrote stays: a log forgets nothing. It starts again from the beginning. */
  async clear(): Promise<void> {
    await this.#end({ position: null, timestamp: 0 })
    this.#position = undefined
  }

  async write({ records, complete }: Batch<NewRecord>): Promise<readonly Outcome[]> {
    const { outlet } = await this.#open()
    await outlet.write(records)
    this.#complete = complete
    return new Array<Outcome>(records.length).fill('applied')
  }

  async commit({ position, timestamp }: Checkpoint): Promise<void> {
    await this.#end({ position, timestamp })
    this.#position = position
  }

  async close(): Promise<void> {
    await this.#drop()
  }

  async #end(stored: StoredPosition): Promise<void> {
    const { producer, outlet } = await this.#open()
    outlet.end(this.#complete)
    // Without a transaction the records have to be there before the position says so.
    if (this.#wiring.options.delivery === 'at-least-once') await producer.flush()
    const { open } = outlet
    const entry = positionEntry(open.length === 0 ? stored : { ...stored, open })
    producer.add(positionTopic(this.name), 0, entry)
    await producer.commit()
  }

  async #open() {
    if (this.#opened !== undefined) return this.#opened
    const topic = positionTopic(this.name)
    const cluster = new Cluster(this.#wiring.access)
    try {
      await ensureTopic(cluster, topic, this.#wiring.policyOf(topic))
    } finally {
      await cluster.close()
    }
    const producer = await Producer.open(this.#wiring.producer(this.name))
    try {
      const open = await this.#assertUnmoved()
      this.#opened = { producer, outlet: new Outlet(this.#wiring, producer, open) }
      return this.#opened
    } catch (error) {
      await producer.close()
      throw error
    }
  }

  /** Gives the partitions that wait for the end of a commit. */
  async #assertUnmoved(): Promise<readonly OpenPartition[]> {
    const stored = await this.#read()
    if ((stored?.position ?? undefined) === this.#position) return stored?.open ?? []
    const message = `${this.name} was written by another instance since its position was read.`
    throw new MillraceError('WRITER_FENCED', message)
  }

  async #read(): Promise<StoredPosition | undefined> {
    const cluster = new Cluster(this.#wiring.access)
    try {
      return await readSettled(cluster, this.name)
    } finally {
      await cluster.close()
    }
  }

  async #drop(): Promise<void> {
    const opened = this.#opened
    this.#opened = undefined
    this.#complete = true
    await opened?.producer.close()
  }
}
