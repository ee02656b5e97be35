import { endOfValue, skipSpace } from './json-scan.ts'
import type { Schema } from './schema.ts'

/**
 * Completes a row that came without its unchanged TOAST columns, or with placeholders for them,
 * with their values in the row before it. Columns stand in the schema's order, so that a completed
 * row equals one that came whole.
 */
export function fillRow(
  text: string,
  previous: string,
  unchanged: readonly string[],
  schema: Schema | undefined,
): string {
  const columns = members(text)
  const old = members(previous)
  for (const name of unchanged) {
    const value = old.get(name)
    if (value !== undefined) columns.set(name, value) // In place of a placeholder, too.
  }
  const parts: string[] = []
  for (const name of orderOf(columns, schema)) {
    parts.push(`${JSON.stringify(name)}:${columns.get(name)}`)
  }
  return `{${parts.join(',')}}`
}

function orderOf(columns: ReadonlyMap<string, string>, schema: Schema | undefined): Set<string> {
  const named = schema?.columns.map(({ name }) => name).filter((name) => columns.has(name)) ?? []
  return new Set([...named, ...columns.keys()])
}

/** The columns' values as JSON text. */
function members(text: string): Map<string, string> {
  const bytes = Buffer.from(text)
  const found = new Map<string, string>()
  let at = skipSpace(bytes, skipSpace(bytes, 0) + 1)
  while (bytes[at] !== 0x7d) {
    const nameEnd = endOfValue(bytes, at)
    const start = skipSpace(bytes, skipSpace(bytes, nameEnd) + 1)
    const end = endOfValue(bytes, start)
    found.set(JSON.parse(bytes.toString('utf8', at, nameEnd)), bytes.toString('utf8', start, end))
    at = skipSpace(bytes, end)
    if (bytes[at] === 0x2c) at = skipSpace(bytes, at + 1)
  }
  return found
}
