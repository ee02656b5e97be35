import type { Schema } from '../core/schema.ts'
import { decodeBlock } from './block.ts'
import { blockKey, type Environment, getJson, json, readBlockKey } from './environment.ts'

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
  /** Bytes of its blocks; a crash may forget those of the last minute. */
  bytes: number
  /** Offset of the first record that is left. */
  start: number
  /** Whoever has not come to this sequence has missed something that was removed. */
  floor: number
  /** Below this sequence there is one record for each key. */
  clean: number
  /** How many of the bytes lie below. */
  cleanBytes: number
}

/** What is stored of a lane when something is removed from it. */
type Kept = Pick<Lane, 'bytes' | 'start' | 'floor' | 'clean' | 'cleanBytes'>

const nothingRemoved: Kept = { bytes: 0, start: 0, floor: 0, clean: 0, cleanBytes: 0 }

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
      const nothing = { nextOffset: 0, end: 0, timestamp: 0, ...nothingRemoved }
      lane = { id, topic, writers: new Set(), ...nothing }
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

  /** Stores what was removed from a lane, in the transaction under way. */
  keep(lane: Lane): void {
    const { bytes, start, floor, clean, cleanBytes } = lane
    const kept: Kept = { bytes, start, floor, clean, cleanBytes }
    void this.#environment.meta.put(keptKey(lane), json(kept))
  }

  /** The same for all lanes: a start needs to know how large they are. */
  keepAll(): void {
    for (const lane of this.all) this.keep(lane)
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
        ...{ nextOffset: 0, end: 0, timestamp: 0, ...nothingRemoved },
      }
      Object.assign(found, getJson<Kept>(this.#environment.meta, keptKey(found)))
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

function keptKey({ id }: Lane): string {
  return `kept/${String(id).padStart(10, '0')}`
}
