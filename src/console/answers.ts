import type { Json } from '../core/json.ts'
import type { Queryable, QueryableEntry } from '../core/queryable.ts'

/** An answer that is no value: its HTTP status, and why in a sentence. */
export class Refused extends Error {
  readonly status: number
  readonly code: string

  constructor(status: number, code: string, message: string) {
    super(message)
    this.status = status
    this.code = code
  }
}

const mostEntries = 10_000

/** One key's value: as it is, or as of a time. */
export function getOne(store: Queryable, key: Json, search: URLSearchParams): Json {
  const asOf = numberOf(search, 'asOf')
  if (asOf !== undefined && store.versions === undefined) {
    throw new Refused(400, 'not_versioned', 'It keeps no history, so `asOf` has no answer.')
  }
  const value =
    asOf === undefined ? store.get(key) : (store.versions!.asOf(key, asOf)?.value ?? null)
  if (value === null) throw new Refused(404, 'no_such_key', 'There is nothing under this key.')
  return value
}

/**
 * Entries from a key to a key, both included, or whose key's text begins with `prefix`; of windows,
 * those that start in a time. It looks at every entry until `limit` are found.
 */
export function getMany(store: Queryable, search: URLSearchParams): readonly QueryableEntry[] {
  const limit = Math.min(numberOf(search, 'limit') ?? 100, mostEntries)
  const isWanted = wanted(search)
  const found: QueryableEntry[] = []
  for (const entry of store.entries()) {
    if (found.length >= limit) break
    if (isWanted(entry)) found.push(entry)
  }
  return found
}

function wanted(search: URLSearchParams): (entry: QueryableEntry) => boolean {
  const [from, to] = [keyOf(search, 'from'), keyOf(search, 'to')]
  const prefix = search.get('prefix')
  const key = search.get('key')
  const [start, end] = [numberOf(search, 'startFrom'), numberOf(search, 'startTo')]
  return (entry) => {
    if (prefix !== null && !keyText(entry.key).startsWith(prefix)) return false
    if (key !== null && keyText(entry.key) !== keyText(readKey(key))) return false
    if (from !== undefined && isBefore(entry.key, from)) return false
    if (to !== undefined && isBefore(to, entry.key)) return false
    if (start !== undefined && (entry.start ?? start) < start) return false
    return end === undefined || (entry.start ?? end) <= end
  }
}

/** A key as it stands in a URL: JSON, or else the text itself. */
export function readKey(text: string): Json {
  try {
    return JSON.parse(text) as Json
  } catch {
    return text
  }
}

function keyOf(search: URLSearchParams, name: string): Json | undefined {
  const text = search.get(name)
  return text === null ? undefined : readKey(text)
}

function keyText(key: Json): string {
  return typeof key === 'string' ? key : JSON.stringify(key)
}

function isBefore(a: Json, b: Json): boolean {
  return typeof a === 'number' && typeof b === 'number' ? a < b : keyText(a) < keyText(b)
}

function numberOf(search: URLSearchParams, name: string): number | undefined {
  const text = search.get(name)
  if (text === null) return undefined
  const number = Number(text)
  if (Number.isFinite(number)) return number
  throw new Refused(400, 'not_a_number', `${name} must be a number; it is ${JSON.stringify(text)}.`)
}
