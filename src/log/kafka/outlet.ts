import { readChange } from '../../core/envelope.ts'
import type { NewRecord } from '../../core/record.ts'
import type { Schema } from '../../core/schema.ts'
import type { Encoder } from '../formats/encoder.ts'
import { Cluster } from './cluster.ts'
import { HeaderWriter } from './headers.ts'
import { partitionOf } from './partitioner.ts'
import type { OpenPartition } from './position-record.ts'
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
  /** Those that have records of a commit that goes on, and perhaps not in them. */
  readonly #unended: Map<string, OpenPartition>
  readonly #headers = new HeaderWriter()
  readonly #published = new WeakSet<Schema>()

  /** `open`: the partitions that were so when the position was written. */
  constructor(wiring: KafkaWiring, producer: Producer, open: readonly OpenPartition[] = []) {
    this.#wiring = wiring
    this.#producer = producer
    this.#unended = new Map(
      open.map(([topic, partition]) => [placeOf(topic, partition), [topic, partition]]),
    )
  }

  /** The partitions that a reader cannot tell to have all of a commit. */
  get open(): readonly OpenPartition[] {
    return [...this.#unended.values()]
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

  /**
   * Hands over what is held back; where the batch is complete, as the ends of their commits. Other
   * partitions with a part of the commit take part in the transaction without records: its marker
   * is the end of the commit there.
   */
  end(complete: boolean): void {
    for (const [place, held] of this.#held) {
      const isEnd = complete || held.record.endsCommit
      this.#add(held, isEnd)
      if (isEnd) this.#unended.delete(place)
      else this.#unended.set(place, [held.topic, held.partition])
    }
    this.#held.clear()
    if (!complete) return
    for (const [topic, partition] of this.#unended.values()) this.#producer.touch(topic, partition)
    this.#unended.clear()
  }

  #hold(held: Held): void {
    const place = placeOf(held.topic, held.partition)
    const before = this.#held.get(place)
    if (before !== undefined) {
      const isLast = before.record.version !== held.record.version || before.record.endsCommit
      this.#add(before, isLast)
    }
    this.#held.set(place, held)
  }

  #add({ record, topic, partition }: Held, endsCommit: boolean): void {
    const encoder = this.#wiring.formats.encoder(topic)
    const written = encoder === undefined ? record : inFormat(record, encoder)
    const schema = record.schema && schemaId(record.schema)
    const headers = this.#headers.encode(written, endsCommit, schema)
    this.#producer.add(topic, partition, written, headers)
  }

  /** Makes topics and publishes schemas that were not met before. */
  async #prepare(records: readonly NewRecord[]): Promise<void> {
    await this.#register(records)
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

  /** A registry that refuses a shape does so before anything of it is written. */
  async #register(records: readonly NewRecord[]): Promise<void> {
    for (const record of records) {
      const encoder = this.#wiring.formats.encoder(record.topic)
      if (encoder !== undefined && !encoder.isReady(record)) await encoder.prepare(record)
    }
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

function placeOf(topic: string, partition: number): string {
  return partition === 0 ? topic : `${topic}/${partition}`
}

function inFormat(record: NewRecord, encoder: Encoder): NewRecord {
  const { headers, ...encoded } = encoder.encode(record)
  return { ...record, ...encoded, ...(headers && { headers: { ...record.headers, ...headers } }) }
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
