/*
 * Keys and values in Avro, under the names that Debezium gives them: `<topic>.Key`,
 * `<topic>.Envelope` with `before` and `after` as `<topic>.Value`, and the connector's `Source`.
 * Columns are in the schema's order; a column whose name Avro does not allow gets another, with its
 * own as `connect.name`. What has no schema is JSON in a string.
 */

import { isUtf8 } from 'node:buffer'
import avro from 'avsc'
import { readEnvelope } from '../../core/envelope.ts'
import type { Row } from '../../core/json.ts'
import { memberTexts } from '../../core/json-scan.ts'
import { parseRow } from '../../core/row.ts'
import type { Column, Schema } from '../../core/schema.ts'
import { type AvroColumn, avroColumn } from './avro-column.ts'
import { avroOptions } from './avro-type.ts'
import { type EnvelopeText, parseEnvelope } from './envelope-text.ts'
import type { Rows, Shape } from './shape.ts'

interface Field {
  readonly name: string
  readonly column: Column
  readonly avro: AvroColumn
}

type AvroRecord = Record<string, unknown>

export function avroKey({ topic, schema }: Rows): Shape {
  const fields = fieldsOf(schema?.columns ?? []).filter(({ column }) => column.key)
  if (fields.length === 0) return shapeOf(json, textOf)
  const avro = {
    ...{ type: 'record', name: 'Key', namespace: namespaceOf(topic) },
    fields: fields.map(keyField),
  } as avro.Schema
  return shapeOf(avro, (key) => {
    const row = parseRow(key, schema)
    for (const name of Object.keys(row)) {
      if (fields.some(({ column }) => column.name === name)) continue
      throw new RangeError(`the key's member ${name} is no column of the row; use \`key.format\``)
    }
    return toAvro(fields, row)
  })
}

export function avroValue({ topic, schema, hold }: Rows): Shape {
  if (hold === 'documents') return shapeOf(json, textOf)
  const namespace = namespaceOf(topic)
  const fields = fieldsOf(schema?.columns ?? [])
  const state = schema === undefined ? json : row(namespace, fields)
  const stateOf = (text: string | null): unknown => {
    if (text === null || schema === undefined) return text
    return toAvro(fields, parseRow(Buffer.from(text), schema), nestedTexts(schema, text))
  }
  if (hold === 'rows') return shapeOf(state, (value) => stateOf(textOf(value)))
  const shape = shapeOf(envelope(namespace, state), (change) => {
    const { before, after, source, ...rest } = parseEnvelope(change)
    return {
      ...{ op: rest.op, transaction: rest.transaction ?? null },
      ...{ before: stateOf(before), after: stateOf(after), source: sourceToAvro(source) },
      ...Object.fromEntries(times.map((name) => [name, longOrNull(rest[name])])),
    }
  })
  if (schema === undefined) return shape
  return { ...shape, sentBefore: (change) => sentBefore(change, schema) }
}

/** Avro has a null for a column that is not there. */
function sentBefore(change: Uint8Array, { columns }: Schema): readonly string[] | undefined {
  const { before } = readEnvelope(change)
  if (before === null) return undefined
  const names = memberTexts(textOf(before))
  return columns.every(({ name }) => names.has(name)) ? undefined : [...names.keys()]
}

function shapeOf(schema: avro.Schema, toAvro: (bytes: Uint8Array) => unknown): Shape {
  const type = avro.Type.forSchema(schema, avroOptions())
  return {
    registered: { type: 'AVRO', schema },
    encode: (bytes) => type.toBuffer(toAvro(bytes)),
  }
}

function toAvro(
  fields: readonly Field[],
  row: Row,
  nested: ReadonlyMap<string, string> = none,
): AvroRecord {
  const record: AvroRecord = {}
  for (const { name, column, avro } of fields) {
    const value = row[column.name] ?? null
    record[name] = nested.get(column.name) ?? (value === null ? null : avro.toAvro(value))
  }
  return record
}

const none: ReadonlyMap<string, string> = new Map()

/** Nested JSON goes on as it is written: to parse it would cost digits. */
function nestedTexts({ columns }: Schema, row: string): ReadonlyMap<string, string> {
  const nested = columns.filter(({ kind }) => kind === 'json')
  if (nested.length === 0) return none
  const texts = memberTexts(row)
  const isGiven = (text: string | undefined) => text !== undefined && text !== 'null'
  return new Map(
    nested
      .map(({ name }) => [name, texts.get(name)] as const)
      .filter((each): each is readonly [string, string] => isGiven(each[1])),
  )
}

const json = { type: 'string', 'connect.name': 'io.debezium.data.Json' } as avro.Schema

function fieldsOf(columns: readonly Column[]): readonly Field[] {
  const taken = new Set<string>()
  return columns.map((column) => {
    let name = avroName(column.name)
    while (taken.has(name)) name += '_'
    taken.add(name)
    return { name, column, avro: avroColumn(column) }
  })
}

function keyField({ name, column, avro }: Field) {
  return { name, ...ownName(name, column), type: avro.schema }
}

function row(namespace: string, fields: readonly Field[]): avro.Schema {
  return {
    ...{ type: 'record', name: 'Value', namespace },
    fields: fields.map(({ name, column, avro }) => {
      return { name, ...ownName(name, column), type: ['null', avro.schema], default: null }
    }),
  } as avro.Schema
}

function ownName(name: string, column: Column) {
  return name === column.name ? {} : { 'connect.name': column.name }
}

const times = ['ts_ms', 'ts_us', 'ts_ns'] as const

const sourceStrings = ['snapshot', 'db', 'sequence', 'schema', 'table', 'view'] as const
const sourceLongs = ['ts_us', 'ts_ns', 'txId', 'lsn', 'xmin'] as const

function envelope(namespace: string, state: avro.Schema): avro.Schema {
  const isNamed = typeof state === 'object' && 'name' in state
  const nullable = (type: avro.Schema) => ({ type: ['null', type], default: null })
  const source = {
    ...{ type: 'record', name: 'Source', namespace: 'io.debezium.connector.postgresql' },
    fields: [
      ...['version', 'connector', 'name'].map((name) => ({ name, type: 'string' })),
      { name: 'ts_ms', type: 'long' },
      ...sourceStrings.map((name) => ({ name, ...nullable('string') })),
      ...sourceLongs.map((name) => ({ name, ...nullable('long') })),
    ],
  }
  const transaction = {
    ...{ type: 'record', name: 'block', namespace: 'event' },
    fields: [
      { name: 'id', type: 'string' },
      { name: 'total_order', type: 'long' },
      { name: 'data_collection_order', type: 'long' },
    ],
  }
  return {
    ...{ type: 'record', name: 'Envelope', namespace },
    fields: [
      { name: 'before', ...nullable(state) },
      { name: 'after', ...nullable(isNamed ? 'Value' : state) },
      { name: 'source', type: source },
      { name: 'transaction', ...nullable(transaction as avro.Schema) },
      { name: 'op', type: 'string' },
      ...times.map((name) => ({ name, ...nullable('long') })),
    ],
  } as avro.Schema
}

function sourceToAvro(source: EnvelopeText['source']): AvroRecord {
  const text = (name: string) => (source[name] === undefined ? null : source[name])
  return {
    ...{ version: source.version, connector: source.connector, name: source.name },
    ts_ms: source.ts_ms,
    ...Object.fromEntries(sourceStrings.map((name) => [name, text(name)])),
    ...Object.fromEntries(sourceLongs.map((name) => [name, longOrNull(source[name])])),
  }
}

function longOrNull(value: unknown): bigint | null {
  return value === undefined || value === null ? null : BigInt(value as bigint)
}

function textOf(bytes: Uint8Array): string {
  if (!isUtf8(bytes)) throw new RangeError('it is no text')
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString()
}

/** What Avro allows in a name: Debezium, too, puts an underscore in place of all else. */
function avroName(name: string): string {
  const allowed = name.replace(/[^A-Za-z0-9_]/g, '_')
  return /^[A-Za-z_]/.test(allowed) ? allowed : `_${allowed}`
}

function namespaceOf(topic: string): string {
  return topic.split('.').map(avroName).join('.')
}
