/*
 * Keys and changes in Avro, under the names that Debezium gives them: `<topic>.Key`,
 * `<topic>.Envelope` with `before` and `after` as `<topic>.Value`, and the connector's `Source`.
 * Columns are in the schema's order; a column whose name Avro does not allow gets another, with its
 * own as `connect.name`. Rows of views without a schema are JSON in a string.
 */
import avro from 'avsc'
import type { Json, Row } from '../../core/json.ts'
import { parseRow, stringifyRow } from '../../core/row.ts'
import type { Column, Schema } from '../../core/schema.ts'
import { type AvroColumn, avroColumn, longType } from './avro-column.ts'
import { type EnvelopeText, parseEnvelope } from './envelope-text.ts'

interface Field {
  readonly name: string
  readonly column: Column
  readonly avro: AvroColumn
}

type AvroRecord = Record<string, unknown>

/** The Avro types of a topic's records, for one schema of its rows. */
export class AvroEnvelope {
  readonly keySchema: avro.Schema
  readonly valueSchema: avro.Schema
  readonly #schema: Schema | undefined
  readonly #isRow: boolean
  readonly #key: avro.Type
  readonly #value: avro.Type
  readonly #fields: readonly Field[]

  /** `isRow`: values are rows, `<topic>.Value`, and not changes of rows. */
  constructor(topic: string, schema: Schema | undefined, isRow = false) {
    const namespace = namespaceOf(topic)
    this.#schema = schema
    this.#isRow = isRow
    this.#fields = schema === undefined ? [] : fieldsOf(schema.columns)
    const keys = this.#fields.filter(({ column }) => column.key)
    this.keySchema =
      keys.length === 0
        ? json
        : ({ type: 'record', name: 'Key', namespace, fields: keys.map(keyField) } as avro.Schema)
    const state = schema === undefined ? json : row(namespace, this.#fields)
    this.valueSchema = isRow ? state : envelope(namespace, state)
    this.#key = avro.Type.forSchema(this.keySchema, { ...options })
    this.#value = avro.Type.forSchema(this.valueSchema, { ...options })
  }

  encodeKey(key: Uint8Array): Buffer {
    const row = parseRow(key, this.#schema)
    const isRecord = this.#fields.some(({ column }) => column.key)
    return this.#key.toBuffer(isRecord ? this.#toAvro(row, true) : textOf(key))
  }

  decodeKey(bytes: Buffer): Buffer {
    const value = this.#key.fromBuffer(bytes) as string | AvroRecord
    if (typeof value === 'string') return Buffer.from(value)
    return Buffer.from(stringifyRow(this.#fromAvro(value, () => true)))
  }

  /** `change`: Debezium's envelope as JSON, or a row. */
  encodeValue(change: Uint8Array): Buffer {
    if (this.#isRow) return this.#value.toBuffer(this.#state(textOf(change)))
    const { before, after, source, ...rest } = parseEnvelope(change)
    return this.#value.toBuffer({
      ...{ op: rest.op, transaction: rest.transaction ?? null },
      ...{ before: this.#state(before), after: this.#state(after), source: sourceToAvro(source) },
      ...Object.fromEntries(times.map((name) => [name, longOrNull(rest[name])])),
    })
  }

  /** The columns in `unchanged` were left out of the row (unchanged TOAST). */
  decodeValue(bytes: Buffer, unchanged: readonly string[] = []): Buffer {
    const has = (name: string) => !unchanged.includes(name)
    const value = this.#value.fromBuffer(bytes) as AvroRecord
    if (this.#isRow) return Buffer.from(this.#stateText(value, has))
    const { before, after, source, ...rest } = value
    const state = (value: unknown) => (value === null ? 'null' : this.#stateText(value, has))
    const tail = Object.entries(rest).filter(([, value]) => value !== null)
    const parts = [
      `{"before":${state(before)},"after":${state(after)}`,
      `"source":${stringifyRow(withoutNulls(source as AvroRecord))}`,
      ...tail.map(([name, value]) => `${JSON.stringify(name)}:${stringifyRow(value)}`),
    ]
    return Buffer.from(`${parts.join(',')}}`)
  }

  #state(text: string | null): unknown {
    if (text === null || this.#schema === undefined) return text
    return this.#toAvro(parseRow(Buffer.from(text), this.#schema), false)
  }

  #stateText(value: unknown, has: (name: string) => boolean): string {
    if (typeof value === 'string') return value
    return stringifyRow(this.#fromAvro(value as AvroRecord, has))
  }

  #toAvro(row: Row, isKey: boolean): AvroRecord {
    const record: AvroRecord = {}
    for (const { name, column, avro } of this.#fields) {
      if (isKey && !column.key) continue
      const value = row[column.name] ?? null
      record[name] = value === null ? null : avro.toAvro(value)
    }
    return record
  }

  #fromAvro(record: AvroRecord, has: (name: string) => boolean): Record<string, Json> {
    const row: Record<string, Json> = {}
    for (const { name, column, avro } of this.#fields) {
      if (!Object.hasOwn(record, name) || !has(column.name)) continue
      const value = record[name]
      row[column.name] = value === null ? null : avro.fromAvro(value)
    }
    return row
  }
}

/** To be copied: avsc adds the types that it meets. */
const options = {
  wrapUnions: false,
  /** Every long is a bigint, also those with a logical type. */
  typeHook: (schema: avro.Schema) => {
    const type = typeof schema === 'object' && 'type' in schema ? schema.type : schema
    return type === 'long' ? longType : undefined
  },
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

function withoutNulls(record: AvroRecord): AvroRecord {
  return Object.fromEntries(Object.entries(record).filter(([, value]) => value !== null))
}

function textOf(bytes: Uint8Array): string {
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
