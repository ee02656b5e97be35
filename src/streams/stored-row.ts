import { ByteWriter } from '../core/byte-writer.ts'
import type { Row } from '../core/json.ts'
import { parseRowText } from '../core/row.ts'
import type { Schema } from '../core/schema.ts'
import { type Key, textOf } from './key.ts'
import type { State } from './state.ts'

/*
 * A row in a table's state: `<version: u64> <timestamp: f64> <schema's number: u16> <JSON text>`.
 */

const headerBytes = 18

/** When a row was made. */
export interface Moment {
  readonly version: bigint
  readonly timestamp: number
}

/** A row as its table holds it: text, parsed when somebody asks. */
export class StoredRow {
  readonly version: bigint
  /** Of the record that made it, in ms since 1970. */
  readonly timestamp: number
  readonly schema: Schema | undefined
  readonly text: string
  #row: Row | undefined

  constructor({ version, timestamp }: Moment, schema: Schema | undefined, text: string) {
    this.version = version
    this.timestamp = timestamp
    this.schema = schema
    this.text = text
  }

  /** Shared by all who ask, therefore frozen. */
  get row(): Row {
    this.#row ??= Object.freeze(parseRowText(this.text, this.schema))
    return this.#row
  }

  isSameRow(other: StoredRow): boolean {
    return this.text === other.text && this.schema === other.schema
  }
}

/** A parsed row takes about this many times its text, and this much besides. */
const bytesPerCharacter = 5
const bytesPerRow = 250

/** About how much memory a row takes under its key. */
export function memoryOf(_key: Key, { text }: StoredRow): number {
  return text.length * bytesPerCharacter + bytesPerRow
}

/** Reads and writes rows with the schemas of one state. */
export class RowCodec {
  readonly #state: State
  readonly #out = new ByteWriter()

  constructor(state: State) {
    this.#state = state
  }

  encode({ version, timestamp, schema, text }: StoredRow): Uint8Array {
    const out = this.#out
    out.begin()
    out.reserve(headerBytes)
    out.bytes.writeBigUInt64BE(version, out.at)
    out.bytes.writeDoubleBE(timestamp, out.at + 8)
    out.bytes.writeUInt16BE(this.#state.schemaId(schema), out.at + 16)
    out.at += headerBytes
    out.utf8(text)
    return out.take()
  }

  decode(bytes: Uint8Array): StoredRow {
    const view = new DataView(bytes.buffer, bytes.byteOffset, headerBytes)
    const moment = { version: view.getBigUint64(0), timestamp: view.getFloat64(8) }
    const schema = this.#state.schema(view.getUint16(16))
    return new StoredRow(moment, schema, textOf(bytes, headerBytes))
  }
}

/** The version alone, for scans that need no more. */
export function versionOf(bytes: Uint8Array): bigint {
  return new DataView(bytes.buffer, bytes.byteOffset, headerBytes).getBigUint64(0)
}
