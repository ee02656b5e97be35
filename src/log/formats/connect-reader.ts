import { endOfValue, skipSpace } from '../../core/json-scan.ts'
import type { ConnectSchema } from './connect-schema.ts'
import { type Decoded, type Holes, RowReader } from './row-reader.ts'

/** So many schemas are kept: more come only if somebody puts what changes into them. */
const keptSchemas = 1_000

/** Reads JSON that brings its schema with it: `{"schema":…,"payload":…}`. */
export class ConnectReader {
  /** By the text of the schema. */
  readonly #known = new Map<string, RowReader>()

  /** What has no schema is given back as it is. */
  read(bytes: Uint8Array, holes?: Holes): Decoded {
    const found = split(bytes)
    if (found === undefined) return { bytes, columns: [] }
    const { schema, payload } = found
    const rows = this.#rows(schema)
    const { columns, isPlain } = rows
    if (isPlain && holes?.byPlaceholder !== true) return { bytes: payload, columns }
    const value = JSON.parse(payload.toString(), exactInteger) as unknown
    return { bytes: Buffer.from(value === null ? 'null' : rows.read(value, holes)), columns }
  }

  #rows(schema: Buffer): RowReader {
    const text = schema.toString()
    let rows = this.#known.get(text)
    if (rows === undefined) {
      if (this.#known.size >= keptSchemas) this.#known.clear()
      rows = new RowReader(JSON.parse(text) as ConnectSchema)
      this.#known.set(text, rows)
    }
    return rows
  }
}

/** The two members, if the object has them and no others. */
function split(bytes: Uint8Array): { schema: Buffer; payload: Buffer } | undefined {
  const found: Record<string, Buffer> = {}
  let at = skipSpace(bytes, 0)
  if (bytes[at] !== 0x7b) return undefined
  at = skipSpace(bytes, at + 1)
  while (bytes[at] !== 0x7d) {
    const nameEnd = endOfValue(bytes, at)
    const start = skipSpace(bytes, skipSpace(bytes, nameEnd) + 1)
    const end = endOfValue(bytes, start)
    const name = Buffer.from(bytes.subarray(at + 1, nameEnd - 1)).toString()
    if (name !== 'schema' && name !== 'payload') return undefined
    found[name] = Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start)
    at = skipSpace(bytes, end)
    if (bytes[at] === 0x2c) at = skipSpace(bytes, at + 1)
  }
  const { schema, payload } = found
  const isDescribed = schema !== undefined && schema[0] === 0x7b && payload !== undefined
  return isDescribed ? { schema, payload } : undefined
}

/** Integers that a double cannot hold as bigints. */
function exactInteger(_: string, value: unknown, context?: { readonly source: string }): unknown {
  if (typeof value !== 'number' || Number.isSafeInteger(value)) return value
  const source = context?.source ?? ''
  return /^-?\d+$/.test(source) ? BigInt(source) : value
}
