import { readEnvelope } from '../../core/envelope.ts'
import { type NewRecord, rowHeader, unchangedHeader } from '../../core/record.ts'
import type { Schema } from '../../core/schema.ts'
import type { RegistryClient, SchemaType } from '../registry/client.ts'
import { AvroEnvelope } from './avro-envelope.ts'
import { ConnectJson } from './connect-json.ts'
import { jsonKeySchema, jsonRowSchema, jsonValueSchema } from './json-schema.ts'
import { frame, unframe } from './wire.ts'

/**
 * How records look to other programs: as they are in the embedded log (`json`), with Kafka
 * Connect's schemas beside them (`connect`), or in Avro or JSON with the id of a schema in a
 * registry before them.
 */
export type FormatName = 'json' | 'connect' | 'avro' | 'json-schema'

export interface Encoded {
  readonly key: Uint8Array | null
  readonly value: Uint8Array | null
}

/** Turns records into the bytes of a topic that others read, and back. */
export interface Codec {
  /** Whether records like this one can be encoded; if not, `prepare` must be awaited before. */
  isReady(record: NewRecord): boolean
  /**
   * Makes the shape of the record known to the registry. Throws SCHEMA_INCOMPATIBLE if that does
   * not allow it after those before: nothing of the new shape is written then.
   */
  prepare(record: NewRecord): Promise<void>
  /** Throws RangeError for a value that the format cannot hold. */
  encode(record: NewRecord): Encoded
  /** The same key and value as they were; the record says which topic and schema they are of. */
  decode(record: NewRecord): Encoded
}

/** `registry` is needed for `avro` and `json-schema`. */
export function openCodec(format: FormatName, registry?: RegistryClient): Codec {
  if (format === 'json') return plain
  if (format === 'connect') return new ConnectCodec()
  if (registry === undefined) throw new Error(`the format ${format} needs a registry`)
  return new RegistryCodec(format, registry)
}

const plain: Codec = {
  isReady: () => true,
  prepare: async () => {},
  encode: ({ key, value }) => ({ key, value }),
  decode: ({ key, value }) => ({ key, value }),
}

class ConnectCodec implements Codec {
  readonly #shapes = new Shapes(
    ({ topic, schema, isRow }) => schema && new ConnectJson(topic, schema, isRow),
  )

  isReady(): boolean {
    return true
  }

  async prepare(): Promise<void> {}

  encode(record: NewRecord): Encoded {
    const { key, value, headers } = record
    const isKnown = headers?.[rowHeader] !== undefined || isChange(value)
    const shape = isKnown ? this.#shapes.of(record) : undefined
    if (shape === undefined) return { key, value }
    return { key: key && shape.encodeKey(key), value: value && shape.encodeValue(value) }
  }

  decode(record: NewRecord): Encoded {
    const { key, value } = record
    const shape = this.#shapes.of(record)
    if (shape === undefined) return { key, value }
    const bytes = (each: Uint8Array) => Buffer.from(each)
    return {
      key: key && shape.decodeKey(bytes(key)),
      value: value && shape.decodeValue(bytes(value)),
    }
  }
}

interface Shape {
  readonly keySchema: unknown
  readonly valueSchema: unknown
  encodeKey(key: Uint8Array): Uint8Array
  encodeValue(value: Uint8Array): Uint8Array
  decodeKey(bytes: Buffer): Buffer
  decodeValue(bytes: Buffer, unchanged?: readonly string[]): Buffer
}

interface Known {
  readonly shape: Shape
  ids: { readonly key: number; readonly value: number } | undefined
}

class RegistryCodec implements Codec {
  readonly #type: SchemaType
  readonly #registry: RegistryClient
  readonly #shapes: Shapes<Known>

  constructor(format: 'avro' | 'json-schema', registry: RegistryClient) {
    this.#type = format === 'avro' ? 'AVRO' : 'JSON'
    this.#registry = registry
    const open = format === 'avro' ? avroShape : jsonShape
    this.#shapes = new Shapes((rows) => ({ shape: open(rows), ids: undefined }))
  }

  isReady(record: NewRecord): boolean {
    return this.#shapes.of(record).ids !== undefined
  }

  async prepare(record: NewRecord): Promise<void> {
    const known = this.#shapes.of(record)
    const { keySchema, valueSchema } = known.shape
    const register = (part: string, schema: unknown) =>
      this.#registry.register(`${record.topic}-${part}`, JSON.stringify(schema), this.#type)
    known.ids = {
      key: await register('key', keySchema),
      value: await register('value', valueSchema),
    }
  }

  encode(record: NewRecord): Encoded {
    const { key, value } = record
    const { shape, ids } = this.#shapes.of(record)
    if (ids === undefined) throw new Error('a shape must be prepared before it is encoded')
    return {
      key: key && frame(ids.key, shape.encodeKey(key)),
      value: value && frame(ids.value, shape.encodeValue(value)),
    }
  }

  decode(record: NewRecord): Encoded {
    const { key, value, headers } = record
    const { shape } = this.#shapes.of(record)
    const unchanged = JSON.parse(headers?.[unchangedHeader] ?? '[]') as readonly string[]
    return {
      key: key && shape.decodeKey(unframe(key).body),
      value: value && shape.decodeValue(unframe(value).body, unchanged),
    }
  }
}

function avroShape({ topic, schema, isRow }: RowsOf): Shape {
  return new AvroEnvelope(topic, schema, isRow)
}

function jsonShape({ topic, schema, isRow }: RowsOf): Shape {
  const same = <T>(bytes: T): T => bytes
  return {
    keySchema: jsonKeySchema(topic, schema),
    valueSchema: isRow ? jsonRowSchema(topic, schema) : jsonValueSchema(topic, schema),
    ...{ encodeKey: same, encodeValue: same, decodeKey: same, decodeValue: same },
  }
}

/** What the values of a topic are: rows, or changes of rows. */
interface RowsOf {
  readonly topic: string
  readonly schema: Schema | undefined
  readonly isRow: boolean
}

const noSchema: Schema = { columns: [] }

/** Something for each topic and schema, made once. */
class Shapes<T> {
  readonly #open: (rows: RowsOf) => T
  readonly #known = new Map<string, WeakMap<Schema, T>>()
  /** By topic. Tombstones and truncates hold no row, and go by the rows before them. */
  readonly #last = new Map<string, RowsOf>()

  constructor(open: (rows: RowsOf) => T) {
    this.#open = open
  }

  of({ topic, schema, headers, value }: NewRecord): T {
    const isRow = headers?.[rowHeader] !== undefined
    const last = this.#last.get(topic)
    const holdsNone = schema === undefined || value === null
    const rows = holdsNone && last !== undefined ? last : { topic, schema, isRow }
    if (!holdsNone) this.#last.set(topic, rows)
    const place = `${rows.isRow} ${topic}`
    let bySchema = this.#known.get(place)
    if (bySchema === undefined) this.#known.set(place, (bySchema = new WeakMap()))
    const key = rows.schema ?? noSchema
    let found = bySchema.get(key)
    if (found === undefined) bySchema.set(key, (found = this.#open(rows)))
    return found
  }
}

/** A tombstone's key looks like that of a change. */
function isChange(value: Uint8Array | null): boolean {
  if (value === null) return true
  try {
    return readEnvelope(value).op !== 'm'
  } catch {
    return false
  }
}
