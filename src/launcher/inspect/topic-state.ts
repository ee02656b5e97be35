import { hash } from 'node:crypto'
import { crc32 } from 'node:zlib'
import { canonicalJson } from '../../core/canonical-json.ts'
import { decodeDocument } from '../../core/document.ts'
import { type Held, supersedes } from '../../core/fold.ts'
import type { Reading } from '../../core/reading.ts'
import type { LogRecord } from '../../core/record.ts'
import type { ReadOnlyLog } from '../../log/read-only.ts'
import { recordAt, scanTopic } from '../../log/scan.ts'

/** What a topic says of an id: its newest state, and where the record stands. */
export interface Expected extends Held {
  readonly sequence: number
  readonly offset: bigint
  /** Of the document; null if it is deleted, or not asked for. */
  readonly digest: string | null
}

export interface TopicStateOptions {
  readonly log: ReadOnlyLog
  readonly topic: string
  readonly reading: Reading
  /** Whether to digest every document on the way. */
  readonly digests: boolean
}

/** The newest state of every id of a topic, as a sink would fold it: about 200 bytes for each. */
export class TopicState {
  readonly #options: TopicStateOptions
  readonly #byId = new Map<string, Expected>()
  #next = 0
  /** Of the newest record seen. */
  offset = -1n

  constructor(options: TopicStateOptions) {
    this.#options = options
  }

  /** A sink that has come to this sequence has read everything seen here. */
  get end(): number {
    return this.#next
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

  count(): number {
    let count = 0
    for (const { deleted } of this.#byId.values()) if (!deleted) count++
    return count
  }

  /** Reads on to what is there by now. Returns the ids that it has come across. */
  async advance(): Promise<ReadonlySet<string>> {
    const { log, topic } = this.#options
    const touched = new Set<string>()
    log.lanes.refresh()
    const end = log.visible([topic])
    for await (const record of scanTopic(log, topic, { from: this.#next, end })) {
      const id = this.#take(record)
      if (id !== undefined) touched.add(id)
      this.offset = record.offset
      this.#next = Number(record.sequence) + 1
    }
    return touched
  }

  /** The record that says what an id should be. */
  recordOf(id: string): LogRecord | undefined {
    const expected = this.#byId.get(id)
    return expected && recordAt(this.#options.log, this.#options.topic, expected)
  }

  /** The text that the target would hold of an id; null if none. */
  textOf(id: string): string | null {
    const record = this.recordOf(id)
    const document = record && decodeDocument(record, this.#options.reading.idOf)
    const isDocument = typeof document === 'object' && 'body' in document && document.body !== null
    return isDocument ? this.#render(document.body) : null
  }

  #take(record: LogRecord): string | undefined {
    const document = decodeDocument(record, this.#options.reading.idOf)
    if (typeof document === 'string' || 'code' in document) return undefined
    const { id, key, body, version, ordinal } = document
    const next = { version, ordinal, deleted: body === null, key: crc32(key) }
    const held = this.#byId.get(id)
    if (held !== undefined && !supersedes(next, held)) return id
    const digest = body === null || !this.#options.digests ? null : digestOf(this.#render(body))
    const { sequence, offset } = record
    this.#byId.set(id, { ...next, sequence: Number(sequence), offset, digest })
    return id
  }

  #render(body: Uint8Array): string {
    return this.#options.reading.render?.(body) ?? Buffer.from(body).toString()
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
