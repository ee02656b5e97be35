import type { Json } from './json.ts'

/** A store or view that can be asked what it holds, as of the last commit that is durable. */
export interface Queryable {
  get(key: Json): Json
  /** In the order of the keys. */
  entries(): Iterable<QueryableEntry>
  /** Of one that remembers its past. */
  readonly versions?: { asOf(key: Json, time: number): { readonly value: Json } | null }
}

export interface QueryableEntry {
  readonly key: Json
  /** Of a window, with `end`; in ms since 1970. */
  readonly start?: number
  readonly end?: number
  readonly value: Json
}
