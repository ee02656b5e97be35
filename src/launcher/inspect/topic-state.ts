import { hash } from 'node:crypto'
import { crc32 } from 'node:zlib'
import { canonicalJson } from '../../core/canonical-json.ts'
import { type Held, supersedes } from '../../core/fold.ts'
import { type Reading, statesOf } from '../../core/reading.ts'
import type { LogRecord } from '../../core/record.ts'
import type { Inspection, RecordPlace, TopicScan } from '../../log/inspection.ts'

/** What a topic says of an id: its newest state, and where the record stands. */
export interface Expected extends Held, RecordPlace {
  /** Of the document; null if it is deleted, or not asked for. */
  readonly digest: string | null
}

export interface TopicStateOptions {
  readonly log: Inspection
  readonly topic: string
  readonly reading: Pick<Reading, 'idOf' | 'render' | 'statesOf' | 'tellsDeletes'>
  /** Whether to digest every document on the way. */
  readonly digests: boolean
}

/** The newest state of every id of a topic, as a sink would fold it: about 200 bytes for each. */
export class TopicState {
  readonly #options: TopicStateOptions
  readonly #byId = new Map<string, Expected>()
  readonly #scan: TopicScan
  readonly #newest = new Map<number, RecordPlace>()

  constructor(options: TopicStateOptions) {
    this.#options = options
    this.#scan = options.log.scan(options.topic)
  }

  /** The newest record seen of each partition. */
  get newest(): Iterable<RecordPlace> {
    return this.#newest.values()
  }

  /** The newest offset seen; where there are several partitions, each with its number. */
  get offset(): string {
    const places = [...this.#newest.values()]
    if (places.every(({ partition }) => partition === 0)) return String(places[0]?.offset ?? -1n)
    return places.map(({ partition, offset }) => `${partition}:${offset}`).join(' ')
  }

  get ids(): Iterable<string> {
    return this.#byId.keys()
  }

  get(id: string): Expected | undefined {
    return this.#byId.get(id)
  }

  isLive(id: string): boolean {
    return this.#byId.get(id)?.deleted === false
  }

  /** How many documents there are; where deletes are what counts, all. */
  count(): number {
    if (this.#options.reading.tellsDeletes) return this.#byId.size
    let count = 0
    for (const { deleted } of this.#byId.values()) if (!deleted) count++
    return count
  }

  /** Reads on to what is there by now. Returns the ids that it has come across. */
  async advance(): Promise<ReadonlySet<string>> {
    const touched = new Set<string>()
    for await (const record of this.#scan.more()) {
      for (const id of this.#take(record)) touched.add(id)
      const { partition, offset, sequence } = record
      this.#newest.set(partition, { partition, offset, sequence })
    }
    return touched
  }

  /** The record that says what an id should be. */
  async recordOf(id: string): Promise<LogRecord | undefined> {
    const expected = this.#byId.get(id)
    return expected && this.#options.log.recordAt(this.#options.topic, expected)
  }

  /** The text that the target would hold of an id; null if none. */
  async textOf(id: string): Promise<string | null> {
    const record = await this.recordOf(id)
    const states = record === undefined ? [] : statesOf(this.#options.reading, record)
    return states.find((state) => state.id === id)?.doc?.() ?? null
  }

  #take(record: LogRecord): string[] {
    const ids: string[] = []
    const { version, ordinal, key, partition, sequence, offset } = record
    for (const { id, doc } of statesOf(this.#options.reading, record)) {
      ids.push(id)
      const next = { version, ordinal, deleted: doc === null, key: crc32(key ?? '') }
      const held = this.#byId.get(id)
      if (held !== undefined && !supersedes(next, held)) continue
      const digest = doc === null || !this.#options.digests ? null : digestOf(doc())
      this.#byId.set(id, { ...next, partition, sequence, offset, digest })
    }
    return ids
  }
}

/** Equal for texts that mean the same. What is not JSON is taken as it is. */
export function digestOf(text: string): string {
  return hash('sha256', canonical(text), 'base64url').slice(0, 16)
}

function canonical(text: string): string {
  try {
    return canonicalJson(text)
  } catch {
    return text
  }
}
