import { quoteName } from '../session.ts'

/**
 * A part of a table: rows whose paging key lies above `after` and not above `until`, or those of a
 * list of keys. A key is the text of its columns, as the server writes it.
 */
export type ChunkRange =
  | { readonly after: KeyText | null; readonly until: KeyText | null }
  | { readonly keys: readonly KeyText[] }

export type KeyText = readonly string[]

export const wholeRange: ChunkRange = { after: null, until: null }

/** The columns by which a table is read part by part, in their order. */
export type PagingKey = readonly { readonly name: string; readonly type: string }[]

/** A condition with its parameters, `$1` and so on. */
export interface Condition {
  readonly sql: string
  readonly values: readonly string[]
}

/**
 * The condition of a range. Rows are compared as rows, each column in its own type and collation,
 * so that the order is that of the key's index. Without a key a range is one of places, `(page,0)`.
 */
export function conditionOf(range: ChunkRange, key: PagingKey): Condition {
  const columns = key.length === 0 ? [{ name: '', type: 'tid' }] : key
  const left = key.length === 0 ? 'ctid' : tuple(columns.map(({ name }) => quoteName(name)))
  const values: string[] = []
  const right = (text: KeyText) =>
    tuple(columns.map(({ type }, i) => `$${values.push(text[i]!)}::${type}`))
  if ('keys' in range) {
    const list = range.keys.map(right).join(', ')
    if (list === '') return { sql: 'false', values }
    return { sql: `${left} IN (${list})`, values }
  }
  const bounds: string[] = []
  // Places are compared from below: the row at a bound belongs to the part that begins there.
  const [above, notAbove] = key.length === 0 ? ['>=', '<'] : ['>', '<=']
  if (range.after !== null) bounds.push(`${left} ${above} ${right(range.after)}`)
  if (range.until !== null) bounds.push(`${left} ${notAbove} ${right(range.until)}`)
  return { sql: bounds.join(' AND '), values }
}

export function orderOf(key: PagingKey): string {
  return key.map(({ name }) => quoteName(name)).join(', ')
}

/** The ranges between bounds that are in order. */
export function rangesBetween(bounds: readonly KeyText[]): ChunkRange[] {
  return [null, ...bounds].map((after, i) => ({ after, until: bounds[i] ?? null }))
}

function tuple(parts: readonly string[]): string {
  return parts.length === 1 ? parts[0]! : `(${parts.join(', ')})`
}
