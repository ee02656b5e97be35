import { readChange } from '../../core/envelope.ts'
import type { NewRecord } from '../../core/record.ts'
import type { Schema } from '../../core/schema.ts'
import { Cluster } from './cluster.ts'
import { HeaderWriter } from './headers.ts'
import { partitionOf } from './partitioner.ts'
import type { Producer } from './producer.ts'
import { schemaId } from './schemas.ts'
import { ensureTopic } from './topics.ts'
import type { KafkaWiring } from './wiring.ts'

/** A producer is given so much at a time. */
const flushBytes = 4 * 1024 * 1024

interface Held {
  readonly record: NewRecord
  readonly topic: string
  readonly partition: number
}

/**
 * Takes records to the partitions of their topics. The last record of each partition is held back
 * until it is known whether its commit ends with it.
 */
export class Outlet {
  readonly #wiring: KafkaWiring
  readonly #producer: Producer
  readonly #partitions = new Map<string, number>()
  readonly #held = new Map<string, Held>()
  readonly #headers = new HeaderWriter()
  readonly #published = new WeakSet<Schema>()

  constructor(wiring: KafkaWiring, producer: Producer) {
    this.#wiring = wiring
    this.#producer = producer
  }

  async write(records: readonly NewRecord[]): Promise<void> {
    await this.#prepare(records)
    for (const record of records) {
      const { topic, key } = record
      const partitions = this.#partitions.get(topic)!
      if (partitions > 1 && key === null && isTruncate(record)) {
        for (let each = 0; each < partitions; each++) this.#hold({ record, topic, partition: each })
      } else {
        const partition = key === null || partitions === 1 ? 0 : partitionOf(key, partitions)
        this.#hold({ record, topic, partition })
      }
      if (this.#producer.bytes > flushBytes) await this.#producer.flush()
    }
  }

  /** Hands over what is held back; where the batch is complete, as the ends of their commits. */
  end(complete: boolean): void {
    for (const held of this.#held.values()) this.#add(held, complete || held.record.endsCommit)
    this.#held.clear()
  }

  #hold(held: Held): void {
    const place = held.partition === 0 ? held.topic : `${held.topic}/${held.partition}`
    const before = this.#held.get(place)
    if (before !== undefined) {
      const isLast = before.record.version !== held.record.version || before.record.endsCommit
      this.#add(before, isLast)
    }
    this.#held.set(place, held)
  }

  #add({ record, topic, partition }: Held, endsCommit: boolean): void {
    const schema = record.schema && schemaId(record.schema)
    const headers = this.#headers.encode(record, endsCommit, schema)
    this.#producer.add(topic, partition, record, headers)
  }

  /** Makes topics and publishes schemas that were not met before. */
  async #prepare(records: readonly NewRecord[]): Promise<void> {
    const topics = new Set<string>()
    const schemas = new Set<Schema>()
    for (const { topic, schema } of records) {
      if (!this.#partitions.has(topic)) topics.add(topic)
      if (schema !== undefined && !this.#published.has(schema)) schemas.add(schema)
    }
    if (topics.size > 0) await this.#open(topics)
    if (schemas.size === 0) return
    await this.#wiring.schemas.publish([...schemas])
    for (const schema of schemas) this.#published.add(schema)
  }

  async #open(topics: ReadonlySet<string>): Promise<void> {
    const cluster = new Cluster(this.#wiring.access)
    try {
      for (const topic of topics) {
        const { leaders } = await ensureTopic(cluster, topic, this.#wiring.policyOf(topic))
        this.#partitions.set(topic, leaders.length)
        this.#wiring.topics.add(topic)
      }
    } finally {
      await cluster.close()
    }
  }
}

/** A truncate has no key, and concerns the rows of every partition. */
function isTruncate(record: NewRecord): boolean {
  try {
    return readChange(record).op === 't'
  } catch (error) {
    if (error instanceof SyntaxError) return false
    throw error
  }
}
