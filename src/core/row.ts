import type { Json, Row } from './json.ts'
import { endOfValue, skipSpace } from './json-scan.ts'
import type { ColumnKind, Schema } from './schema.ts'

const decoder = new TextDecoder()

/**
 * Parses a row. By the schema's column types, never by the values: int8 becomes a bigint, decimals
 * stay exact strings, all other numbers are doubles. Without a schema every number is a double.
 * The result has no prototype, so that no column name can reach one.
 */
export function parseRow(bytes: Uint8Array, schema?: Schema): Row {
  const row: Record<string, Json> = Object.create(null)
  const exact = schema === undefined ? none : exactColumns(schema)
  let at = skipSpace(bytes, skipSpace(bytes, 0) + 1)
  while (bytes[at] !== 0x7d) {
    const nameEnd = endOfValue(bytes, at)
    const start = skipSpace(bytes, skipSpace(bytes, nameEnd) + 1)
    const end = endOfValue(bytes, start)
    const name = JSON.parse(decoder.decode(bytes.subarray(at, nameEnd))) as string
    const text = decoder.decode(bytes.subarray(start, end))
    row[name] = exact.has(name) ? parseExact(text) : (JSON.parse(text) as Json)
    at = skipSpace(bytes, end)
    if (bytes[at] === 0x2c) at = skipSpace(bytes, at + 1)
  }
  return row
}

/** Renders a row as JSON; bigints as bare digits. */
export function stringifyRow(row: Json): string {
  return JSON.stringify(row, (_, value: unknown) =>
    typeof value === 'bigint' ? rawJson(String(value)) : value,
  )
}

// Node 24 has it; TypeScript's library does not know it yet.
const { rawJSON: rawJson } = JSON as unknown as { rawJSON(text: string): unknown }

const none: ReadonlySet<string> = new Set()
const exactBySchema = new WeakMap<Schema, ReadonlySet<string>>()

function exactColumns(schema: Schema): ReadonlySet<string> {
  let columns = exactBySchema.get(schema)
  if (columns === undefined) {
    const isExact = (kind: ColumnKind | undefined) => kind === 'int8'
    columns = new Set(
      schema.columns
        .filter(({ kind, element }) => isExact(kind) || isExact(element))
        .map(({ name }) => name),
    )
    exactBySchema.set(schema, columns)
  }
  return columns
}

/** An int8 or an array of them, of any dimension. */
function parseExact(text: string): Json {
  return JSON.parse(text, (_, value: unknown, context?: { source: string }) =>
    typeof value === 'number' && context ? BigInt(context.source) : value,
  ) as Json
}
