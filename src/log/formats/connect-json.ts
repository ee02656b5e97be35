/*
 * JSON with schemas, as Kafka Connect's JsonConverter has it: `{"schema":…,"payload":…}`. The
 * payload is the key or the change as it is in the log, but for nested JSON, which is text there.
 */

import type { Json } from '../../core/json.ts'
import type { Schema } from '../../core/schema.ts'
import { parseEnvelope } from './envelope-text.ts'
import {
  type ConnectField,
  connectField,
  hasNested,
  nestedToText,
  rewriteRow,
  textToNested,
} from './json-columns.ts'

/** Writes and reads the records of one topic and one schema of its rows. */
export class ConnectJson {
  readonly #schema: Schema
  readonly #isRow: boolean
  readonly #keyHead: string
  readonly #valueHead: string

  /** `isRow`: values are rows, and not changes of rows. */
  constructor(topic: string, schema: Schema, isRow = false) {
    this.#schema = schema
    this.#isRow = isRow
    const keys = schema.columns.filter(({ key }) => key)
    const key = {
      ...struct(
        `${topic}.Key`,
        keys.map((each) => connectField(each)),
      ),
      optional: false,
    }
    const value = isRow ? { ...rowStruct(topic, schema), optional: false } : envelope(topic, schema)
    this.#keyHead = `{"schema":${JSON.stringify(key)},"payload":`
    this.#valueHead = `{"schema":${JSON.stringify(value)},"payload":`
  }

  encodeKey(key: Uint8Array): Buffer {
    return Buffer.concat([Buffer.from(this.#keyHead), key, closing])
  }

  encodeValue(change: Uint8Array): Buffer {
    const payload = this.#rewritten(change, nestedToText)
    return Buffer.concat([Buffer.from(this.#valueHead), payload, closing])
  }

  decodeKey(bytes: Buffer): Buffer {
    return bytes.subarray(Buffer.byteLength(this.#keyHead), -1)
  }

  decodeValue(bytes: Buffer): Buffer {
    const payload = bytes.subarray(Buffer.byteLength(this.#valueHead), -1)
    return Buffer.from(this.#rewritten(payload, textToNested))
  }

  #rewritten(change: Uint8Array, how: (value: Json) => Json): Uint8Array {
    const schema = this.#schema
    if (!hasNested(schema)) return change
    let text = Buffer.from(change).toString()
    if (this.#isRow) return Buffer.from(rewriteRow(text, schema, how))
    const { before, after } = parseEnvelope(change)
    for (const [name, state] of Object.entries({ before, after })) {
      if (state === null) continue
      const at = text.indexOf(state, text.indexOf(`"${name}":`))
      text = `${text.slice(0, at)}${rewriteRow(state, schema, how)}${text.slice(at + state.length)}`
    }
    return Buffer.from(text)
  }
}

const closing = Buffer.from('}')

function struct(name: string, fields: readonly ConnectField[]) {
  return { type: 'struct', name, fields }
}

function rowStruct(topic: string, { columns }: Schema) {
  const fields = columns.map((each) => connectField(each, true))
  return struct(`${topic}.Value`, fields)
}

function envelope(topic: string, schema: Schema) {
  const value = rowStruct(topic, schema)
  const text = (field: string, optional: boolean) => ({ field, type: 'string', optional })
  const long = (field: string, optional: boolean) => ({ field, type: 'int64', optional })
  const source = struct('io.debezium.connector.postgresql.Source', [
    ...['version', 'connector', 'name'].map((name) => text(name, false)),
    long('ts_ms', false),
    ...['snapshot', 'db', 'sequence', 'schema', 'table', 'view'].map((name) => text(name, true)),
    ...['ts_us', 'ts_ns', 'txId', 'lsn', 'xmin'].map((name) => long(name, true)),
  ])
  const fields: readonly ConnectField[] = [
    { field: 'before', ...value, optional: true },
    { field: 'after', ...value, optional: true },
    { field: 'source', ...source, optional: false },
    text('op', false),
    ...['ts_ms', 'ts_us', 'ts_ns'].map((name) => long(name, true)),
  ]
  return { ...struct(`${topic}.Envelope`, fields), optional: false }
}
