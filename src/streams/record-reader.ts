import { readChange } from '../core/envelope.ts'
import type { Json } from '../core/json.ts'
import type { LogRecord } from '../core/record.ts'
import { parseRow } from '../core/row.ts'
import type { FlowRecord } from './flow/flow.ts'
import { type KeyShape, shapeOf } from './key.ts'

/**
 * Reads a topic of changes as a stream of records: the value is the row after the change, or null
 * if it is deleted; the key is that of the row, as views have it. A tombstone right behind its
 * delete says nothing new.
 */
export class RecordReader {
  #shape: KeyShape | undefined
  #deleted: Uint8Array | undefined

  /** Throws SyntaxError for what is no change. */
  read(record: LogRecord): FlowRecord | undefined {
    const { key, value, timestamp, schema } = record
    const deleted = this.#deleted
    this.#deleted = undefined
    if (value === null) {
      const isSaid = deleted !== undefined && key !== null && Buffer.compare(deleted, key) === 0
      return isSaid ? undefined : { key: this.#key(key), value: null, timestamp }
    }
    const { op, after } = readChange(record)
    if (op === 't' || op === 'm') return undefined
    if (op === 'd') this.#deleted = key ?? undefined
    const row: Json = after === null || op === 'd' ? null : parseRow(after, schema)
    return { key: this.#key(key), value: row, timestamp }
  }

  #key(bytes: Uint8Array | null): Json {
    if (bytes === null) return null
    const known = this.#shape?.read(bytes)
    if (known !== undefined) return this.#shape!.value(known)
    this.#shape = shapeOf(bytes)
    return this.#shape.value(this.#shape.read(bytes)!)
  }
}
