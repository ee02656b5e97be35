/*
 * JSON with schemas, as Kafka Connect's JsonConverter has it: `{"schema":…,"payload":…}`. The
 * payload is the key or the change as it is in the log, but for nested JSON, which is text there.
 */

import { memberTexts } from '../../core/json-scan.ts'
import type { Schema } from '../../core/schema.ts'
import { type ConnectField, connectField, hasNested, nestedToText } from './json-columns.ts'
import type { Rows, Shape } from './shape.ts'

/** `undefined` where nothing is known of the key: it stays as it is. */
export function connectKey({ topic, schema }: Rows): Shape | undefined {
  const keys = schema?.columns.filter(({ key }) => key) ?? []
  if (keys.length === 0) return undefined
  const fields = keys.map((each) => connectField(each))
  return withHead({ ...struct(`${topic}.Key`, fields), optional: false })
}

/** `undefined` where nothing is known of the rows: they stay as they are. */
export function connectValue({ topic, schema, hold }: Rows): Shape | undefined {
  if (schema === undefined) return undefined
  if (hold === 'rows') {
    const payload = (row: Uint8Array) => {
      return hasNested(schema) ? Buffer.from(nestedToText(textOf(row), schema)) : row
    }
    return withHead({ ...rowStruct(topic, schema), optional: false }, payload)
  }
  const payload = (change: Uint8Array) => (hasNested(schema) ? rewritten(change, schema) : change)
  return withHead(envelope(topic, schema), payload)
}

function withHead(schema: object, payload = (bytes: Uint8Array) => bytes): Shape {
  const head = Buffer.from(`{"schema":${JSON.stringify(schema)},"payload":`)
  return { encode: (bytes) => Buffer.concat([head, payload(bytes), closing]) }
}

/** A change whose rows have their nested JSON as text. */
function rewritten(change: Uint8Array, schema: Schema): Buffer {
  const members = [...memberTexts(textOf(change))].map(([name, text]) => {
    const isState = (name === 'before' || name === 'after') && text !== 'null'
    return `${JSON.stringify(name)}:${isState ? nestedToText(text, schema) : text}`
  })
  return Buffer.from(`{${members.join(',')}}`)
}

function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString()
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
