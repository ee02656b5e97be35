import type { Schema } from '../core/schema.ts'
import { decodeBlock } from './block.ts'
import { blockKey, type Environment, json, readBlockKey } from './environment.ts'

/** One topic and partition, as this process knows it. */
export interface Lane {
  readonly id: number
  readonly topic: string
  /** Who has ever written here: a reader waits for their unfinished commits. */
  readonly writers: Set<string>
  /** The next record's offset. */
  nextOffset: number
  /** Sequence after that of the newest durable record. */
  end: number
  /** Time of the newest durable record, in ms since 1970. */
  timestamp: number
  /** Bytes of keys and values ever appended by this process. */
  bytes: number
}

interface StoredLane {
  readonly topic: string
  readonly writers: readonly string[]
}

/** The topics of a log with their schemas: read once at the start, then kept up by the writers. */
export class Lanes {
  readonly #environment: Environment
  readonly #byTopic = new Map<string, Lane>()
  readonly #schemas: (Schema | undefined)[] = [undefined]
  readonly #schemaIds = new Map<string, number>()
  readonly #known = new WeakMap<Schema, number>()

  constructor(environment: Environment) {
    this.#environment = environment
    this.refresh()
  }

  get all(): Iterable<Lane> {
    return this.#byTopic.values()
  }

  get(topic: string): Lane | undefined {
    return this.#byTopic.get(topic)
  }

  readonly schemaOf = (id: number): Schema | undefined => this.#schemas[id]

  /** The lane of a topic, made on first use. `puts` keeps what must be stored along. */
  open(topic: string, writer: string, puts: (() => void)[]): Lane {
    let lane = this.#byTopic.get(topic)
    if (lane === undefined) {
      const id = this.#byTopic.size + 1
      lane = { id, topic, writers: new Set(), nextOffset: 0, end: 0, timestamp: 0, bytes: 0 }
      this.#byTopic.set(topic, lane)
    }
    if (!lane.writers.has(writer)) {
      lane.writers.add(writer)
      const stored: StoredLane = { topic, writers: [...lane.writers] }
      const key = `lane/${String(lane.id).padStart(10, '0')}`
      puts.push(() => this.#environment.meta.put(key, json(stored)))
    }
    return lane
  }

  /** A number for a schema; equal schemas share one. */
  schemaId(schema: Schema | undefined, puts: (() => void)[]): number {
    if (schema === undefined) return 0
    const known = this.#known.get(schema)
    if (known !== undefined) return known
    const text = JSON.stringify(schema)
    let id = this.#schemaIds.get(text)
    if (id === undefined) {
      id = this.#schemas.push(schema) - 1
      this.#schemaIds.set(text, id)
      const key = `schema/${String(id).padStart(10, '0')}`
      puts.push(() => this.#environment.meta.put(key, Buffer.from(text)))
    }
    this.#known.set(schema, id)
    return id
  }

  /** Reads what is stored: at the start, and again where another process writes. */
  refresh(): void {
    for (const { key, value } of this.#entries('schema/')) {
      const text = value.toString()
      const id = Number(key.slice(7))
      this.#schemas[id] ??= JSON.parse(text) as Schema
      this.#schemaIds.set(text, id)
    }
    for (const { key, value } of this.#entries('lane/')) {
      const { topic, writers } = JSON.parse(value.toString()) as StoredLane
      const lane = this.#byTopic.get(topic)
      const found = lane ?? {
        ...{ id: Number(key.slice(5)), topic, writers: new Set<string>() },
        ...{ nextOffset: 0, end: 0, timestamp: 0, bytes: 0 },
      }
      for (const writer of writers) found.writers.add(writer)
      this.#byTopic.set(topic, found)
      this.#findEnd(found)
    }
  }

  #entries(prefix: string) {
    return this.#environment.meta.getRange({ start: prefix, end: `${prefix}~` })
  }

  #findEnd(lane: Lane): void {
    const start = blockKey({ lane: lane.id + 1, sequence: 0, offset: 0 })
    const end = blockKey({ lane: lane.id, sequence: 0, offset: 0 })
    const range = this.#environment.blocks.getRange({ start, end, reverse: true, limit: 1 })
    for (const { key, value } of range) {
      if (readBlockKey(key).lane !== lane.id) return
      const last = decodeBlock(value, lane.topic, this.schemaOf).at(-1)!
      lane.nextOffset = Math.max(lane.nextOffset, Number(last.offset) + 1)
      lane.end = Number(last.sequence) + 1
      lane.timestamp = last.timestamp
    }
  }
}
