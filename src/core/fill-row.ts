import { memberTexts } from './json-scan.ts'
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
  const columns = memberTexts(text)
  const old = memberTexts(previous)
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
