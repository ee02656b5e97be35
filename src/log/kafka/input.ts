/*
 * Records that others write, brought into the form of ours: keys are JSON objects, values are
 * Debezium's changes or rows, on one line, with the columns of the row where a schema tells them.
 */
import { isUtf8 } from 'node:buffer'
import type { Json } from '../../core/json.ts'
import { newKeyHeader, oldKeyHeader, rowHeader, unchangedHeader } from '../../core/record.ts'
import type { Column, Schema } from '../../core/schema.ts'
import type { Decoder } from '../formats/decoder.ts'
import type { TopicFormat } from '../formats/format.ts'
import { isPlaceholder, mayHoldPlaceholder } from '../formats/placeholder.ts'
import type { Decoded } from '../formats/row-reader.ts'
import type { Found } from './headers.ts'
import { timeIn } from './input-time.ts'
import type { InputOptions } from './topic-options.ts'

/** Text of JSON, and what it says. */
interface Read {
  readonly bytes: Buffer
  readonly value: Json
}

/** Reads a topic that others write. */
export class InputReader {
  readonly #options: InputOptions
  readonly #decoder: Decoder
  readonly #schemas = new WeakMap<readonly Column[], Map<string, Schema>>()

  constructor(options: InputOptions, decoder: Decoder) {
    this.#options = options
    this.#decoder = decoder
  }

  /** JSON may bring a schema with it. */
  static formatOf({ key, value }: InputOptions): TopicFormat {
    const formats = { json: 'connect', avro: 'avro', 'json-schema': 'json-schema' } as const
    return { key: key in formats ? formats[key as 'json'] : 'json', value: formats[value] }
  }

  /** Changes the record. Throws SyntaxError or RangeError if it is not what was expected. */
  async read(record: Found): Promise<void> {
    if (!this.#decoder.isReady(record)) await this.#decoder.learn(record)
    const key = record.key && this.#key(record.key)
    const headers = this.#keyHeaders(record.headers)
    if (record.value === null) {
      Object.assign(record, { key: key?.bytes ?? null, headers })
      return
    }
    const { value, columns, unchanged } = this.#value(record.value)
    const { holds } = this.#options
    const isDeleted = holds === 'rows' && isMarkedDeleted(value.value)
    Object.assign(record, {
      key: key?.bytes ?? null,
      value: isDeleted ? null : value.bytes,
      timestamp: timeIn(value.value, this.#options) ?? record.timestamp,
      schema: this.#schema(columns, key?.value),
      headers: {
        ...headers,
        ...(holds === 'rows' && { [rowHeader]: 'u' }),
        ...(unchanged.length > 0 && { [unchangedHeader]: JSON.stringify(unchanged) }),
      },
    })
  }

  #key(bytes: Uint8Array): Read | null {
    const { key } = this.#options
    const given = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
    switch (key) {
      case 'none':
        return null
      case 'string':
        if (!isUtf8(given)) throw new SyntaxError('the key is no text')
        return this.#object(jsonOf(Buffer.from(JSON.stringify(given.toString()))))
      case 'int32':
        assertLength(given, 4)
        return this.#object(jsonOf(Buffer.from(String(given.readInt32BE()))))
      case 'int64':
        assertLength(given, 8)
        return this.#object(jsonOf(Buffer.from(String(given.readBigInt64BE()))))
      default:
        return this.#object(jsonOf(this.#decoder.decode('key', given).bytes))
    }
  }

  /** A key that is one value becomes a column. */
  #object(key: Read): Read {
    if (isObject(key.value)) return key
    const name = this.#options['key.name']
    const bytes = Buffer.from(`{${JSON.stringify(name)}:${key.bytes}}`)
    return { bytes, value: { [name]: key.value } }
  }

  #value(bytes: Uint8Array) {
    const given = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
    const byPlaceholder = this.#options.value === 'avro' || mayHoldPlaceholder(given)
    const holes = { without: [], found: [], byPlaceholder }
    const { bytes: text, columns }: Decoded = this.#decoder.decode('value', given, holes)
    const value = jsonOf(text)
    if (!isObject(value.value)) throw new SyntaxError('the value is no JSON object')
    const isDescribed = columns.length > 0 || !byPlaceholder
    return { value, columns, unchanged: isDescribed ? holes.found : this.#holesOf(value.value) }
  }

  /** Placeholders stay in a row without a schema: they are filled in where a table has the row. */
  #holesOf(value: JsonObject): readonly string[] {
    const row = this.#options.holds === 'rows' ? value : value.after
    if (row === undefined || !isObject(row)) return []
    return Object.keys(row).filter((name) => isPlaceholder(row[name]))
  }

  #schema(columns: readonly Column[], key: Json | undefined): Schema | undefined {
    if (columns.length === 0) return undefined
    const names = key !== undefined && isObject(key) ? Object.keys(key) : []
    const place = JSON.stringify(names)
    let known = this.#schemas.get(columns)
    if (known === undefined) this.#schemas.set(columns, (known = new Map()))
    let schema = known.get(place)
    if (schema === undefined) {
      const isKey = ({ name }: Column) => names.includes(name)
      schema = { columns: columns.map((column) => ({ ...column, key: isKey(column) })) }
      known.set(place, schema)
    }
    return schema
  }

  /** Of a key change, the other key, if it can be read. */
  #keyHeaders(headers: Found['headers']): Record<string, string> {
    const read: Record<string, string> = { ...headers }
    for (const name of [oldKeyHeader, newKeyHeader]) {
      const text = read[name]
      if (text === undefined) continue
      delete read[name]
      try {
        const other = this.#key(Buffer.from(text))
        if (other !== null) read[name] = other.bytes.toString()
      } catch (error) {
        if (!(error instanceof SyntaxError || error instanceof RangeError)) throw error
      }
    }
    return read
  }
}

type JsonObject = { readonly [name: string]: Json }

function isObject(value: Json): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** As Debezium's unwrapping marks rows in the mode `rewrite`. */
function isMarkedDeleted(value: Json): boolean {
  return isObject(value) && (value.__deleted === 'true' || value.__deleted === true)
}

/** Nobody has looked at the text yet. Line breaks can only stand between values. */
function jsonOf(bytes: Uint8Array): Read {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  if (!isUtf8(text)) throw new SyntaxError('it is no JSON')
  const value = JSON.parse(text.toString()) as Json
  const isOneLine = !text.includes(0x0a) && !text.includes(0x0d)
  if (isOneLine) return { bytes: text, value }
  return { bytes: Buffer.from(text.toString().replaceAll(/[\r\n]/g, ' ')), value }
}

function assertLength(bytes: Buffer, length: number): void {
  if (bytes.length === length) return
  throw new RangeError(`the key has ${bytes.length} bytes, not ${length}`)
}
