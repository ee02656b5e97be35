import { ByteWriter } from '../core/byte-writer.ts'
import { ChangeEncoder } from '../core/encode-change.ts'
import type { NewRecord } from '../core/record.ts'
import { stringifyRow } from '../core/row.ts'
import type { Emission } from './emission.ts'
import type { FlowRecord } from './flow/flow.ts'
import { keyJson } from './hops.ts'
import type { State } from './state.ts'
import type { OrderedSpace, Parts } from './stores/ordered-space.ts'
import { timeText } from './stores/time-text.ts'
import { decodeValue, encodeValue } from './stores/value-codec.ts'

export interface FlowOutputOptions {
  readonly state: State
  readonly pipeline: string
  readonly topology: string
  /** The version of the program, named in envelopes. */
  readonly release: string
  /** A commit's records go out in transactions of about so many bytes. */
  readonly partBytes: number
}

/**
 * What a topology tells of the commit under way. Of a commit that takes several transactions, the
 * records wait in the state until it is complete: nobody is told half a commit.
 */
export class FlowOutput {
  readonly #encoder: ChangeEncoder
  readonly #out = new ByteWriter()
  readonly #outbox: OrderedSpace
  readonly #partBytes: number
  #commit: Emission | undefined
  #processedAt = 0
  #records: Draft[] = []
  #bytes = 0
  #ordinal = 0

  constructor({ state, pipeline, topology, release, partBytes }: FlowOutputOptions) {
    this.#encoder = new ChangeEncoder(this.#out, { release, pipeline, view: topology })
    this.#outbox = state.ordered('outbox')
    this.#partBytes = partBytes
  }

  /** Some of the commit's records may have been told, up to this place in it. */
  begin(commit: Emission, processedAt: number, ordinal = 0): void {
    this.#commit = commit
    this.#processedAt = processedAt
    this.#ordinal = ordinal
  }

  write(topic: string, { key, value, timestamp }: FlowRecord, keyColumn: string): void {
    const commit = this.#commit!
    const record = {
      topic,
      key: key === null ? null : Buffer.from(keyJson(key, keyColumn)),
      value: value === null ? null : this.#envelope(stringifyRow(value), timestamp),
      timestamp,
      version: commit.version,
      cause: commit.cause,
    }
    this.#records.push(record)
    this.#bytes += (record.key?.length ?? 0) + (record.value?.length ?? 0)
  }

  /** Passes on what is ready, as it is; of the commit's version, unless it has its own. */
  pass(record: Ready): void {
    const { version, cause } = this.#commit!
    this.#records.push({ version, cause, ...record })
  }

  /** The place of the next record inside its commit. */
  get ordinal(): number {
    return this.#ordinal + this.#records.length
  }

  /** Whether the records are many enough for a transaction. */
  get isFull(): boolean {
    return this.#bytes >= this.#partBytes
  }

  /** Moves the records to the state. */
  spill(): void {
    for (const { topic, key, value, timestamp } of this.#records) {
      const waiting: Waiting = [topic, textOf(key), textOf(value), timestamp]
      this.#outbox.put([timeText(this.#ordinal++)], encodeValue(waiting))
    }
    this.#records = []
    this.#bytes = 0
  }

  /**
   * The commit's records, in parts: `isLast` says that the commit ends with the part. Those of a
   * part are forgotten when the next one is asked for; to break off is to begin there again.
   */
  *end(
    hasSpilled: boolean,
  ): Generator<{ readonly records: readonly NewRecord[]; isLast: boolean }> {
    if (!hasSpilled) {
      this.#bytes = 0
      yield { records: this.#numbered(this.#records.splice(0)), isLast: true }
      return
    }
    this.spill()
    yield* this.#drain()
  }

  *#drain(): Generator<{ readonly records: readonly NewRecord[]; isLast: boolean }> {
    const last = new Map<string, { readonly parts: Parts; readonly record: NewRecord }>()
    let records: NewRecord[] = []
    let bytes = 0
    for (const [parts, text] of this.#outbox.scan([])) {
      const record = this.#waiting(parts, text)
      // The last record of each topic bears the end mark.
      const held = last.get(record.topic)
      last.set(record.topic, { parts, record })
      if (held === undefined) continue
      records.push(held.record)
      bytes += held.record.value?.length ?? 0
      this.#outbox.delete(held.parts)
      if (bytes < this.#partBytes) continue
      yield { records, isLast: false }
      records = []
      bytes = 0
    }
    for (const { parts, record } of last.values()) {
      records.push({ ...record, endsCommit: true })
      this.#outbox.delete(parts)
    }
    records.sort((a, b) => a.ordinal - b.ordinal)
    yield { records, isLast: true }
  }

  #waiting([ordinal]: Parts, text: string): NewRecord {
    const [topic, key, value, timestamp] = decodeValue(text) as unknown as Waiting
    const { version, cause } = this.#commit!
    return {
      ...{ topic, timestamp, version, cause, endsCommit: false },
      key: key === null ? null : Buffer.from(key),
      value: value === null ? null : Buffer.from(value),
      ordinal: Number.parseInt(ordinal!, 16),
    }
  }

  #numbered(drafts: readonly Draft[]): readonly NewRecord[] {
    const ended = new Set<string>()
    const records: NewRecord[] = []
    for (let i = drafts.length - 1; i >= 0; i--) {
      const draft = drafts[i]!
      const endsCommit = !ended.has(draft.topic)
      if (endsCommit) ended.add(draft.topic)
      records[i] = { ...draft, ordinal: this.#ordinal + i, endsCommit }
    }
    this.#ordinal += drafts.length
    return records
  }

  #envelope(after: string, timestamp: number): Buffer {
    const { cause } = this.#commit!
    const processedAt = this.#processedAt
    return this.#encoder.encode({ before: null, after, timestamp, processedAt, sequence: cause })
  }
}

type Draft = Omit<NewRecord, 'ordinal' | 'endsCommit'>

/** A record that says more of itself than what a topology writes. */
type Ready = Omit<Draft, 'version'> & Partial<Pick<Draft, 'version'>>

type Waiting = readonly [topic: string, key: string | null, value: string | null, timestamp: number]

function textOf(bytes: Uint8Array | null): string | null {
  return bytes && Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString()
}
