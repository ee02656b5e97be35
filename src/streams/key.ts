import type { Json } from '../core/json.ts'
import { endOfValue, skipSpace } from '../core/json-scan.ts'
import { stringifyRow } from '../core/row.ts'

/**
 * The key of a row in its canonical form: the JSON text of the key column's value; of several
 * columns, their texts in the order of the columns' names, separated by U+001F, which JSON text
 * never contains. So a key can be made from a record's key and from a value that user code returns,
 * and the two are equal if the values are; the integers 1 and 1n are equal, "1" is another value.
 */
export type Key = string

export type Scalar = string | number | bigint | boolean

/** What user code returns for a key: the value of a single key column, or an object of all. */
export type KeyValue = Scalar | { readonly [column: string]: Scalar }

const separator = '\u001f'

/** The columns of a table's keys, and how they map to the canonical order. */
export class KeyShape {
  /** In the order of the record's key. */
  readonly columns: readonly string[]
  /** The i-th value of a canonical key belongs to the column order[i]. */
  readonly #order: readonly number[]
  /** `{"id":`, by which the most frequent form is recognised. */
  readonly #prefix: Buffer | undefined

  constructor(columns: readonly string[]) {
    this.columns = columns
    this.#order = columns.map((_, i) => i).sort((a, b) => compare(columns[a]!, columns[b]!))
    if (columns.length === 1) this.#prefix = Buffer.from(`{${JSON.stringify(columns[0])}:`)
  }

  /** The key, or `undefined` if the bytes hold other columns than these. */
  read(bytes: Uint8Array): Key | undefined {
    const plain = this.#prefix && plainInteger(bytes, this.#prefix)
    if (plain !== undefined) return plain
    const members = keyMembers(bytes)
    if (members.length !== this.columns.length) return undefined
    for (let i = 0; i < members.length; i++) {
      if (members[i]![0] !== this.columns[i]) return undefined
    }
    if (members.length === 1) return members[0]![1]
    return this.#order.map((i) => members[i]![1]).join(separator)
  }

  equals({ columns }: KeyShape): boolean {
    return columns.length === this.columns.length && columns.every((c, i) => c === this.columns[i])
  }

  /** What user code is given: the value of a single key column, or an object of all. */
  value(key: Key): Json {
    if (this.columns.length === 1) {
      const number = key.length < 16 ? Number(key) : Number.NaN
      if (Number.isSafeInteger(number)) return number
    }
    const columns = JSON.parse(this.toJson(key), exactInteger) as { readonly [name: string]: Json }
    return this.columns.length === 1 ? columns[this.columns[0]!]! : columns
  }

  /** As Debezium writes keys: `{"id":1}`. */
  toJson(key: Key): string {
    if (this.columns.length === 1) return `{${JSON.stringify(this.columns[0])}:${key}}`
    const values = key.split(separator)
    const members = this.columns.map((name, i) => {
      return `${JSON.stringify(name)}:${values[this.#order.indexOf(i)]}`
    })
    return `{${members.join(',')}}`
  }
}

/** The shape of a key that was never seen before. */
export function shapeOf(bytes: Uint8Array): KeyShape {
  return new KeyShape(keyMembers(bytes).map(([name]) => name))
}

/** The key that a value of user code means; `null` if it means none. */
export function toKey(value: KeyValue | null | undefined): Key | null {
  if (value === null || value === undefined) return null
  if (typeof value !== 'object') return scalarText(value)
  const names = Object.keys(value).sort(compare)
  const texts = names.map((name) => toKey(value[name]))
  // As in SQL, a reference of which one column is null points at nothing.
  return texts.length === 0 || texts.includes(null) ? null : texts.join(separator)
}

/** Orders keys by their values: numbers by size, everything else by text. */
export function compareKeys(a: Key, b: Key): number {
  const left = a.split(separator)
  const right = b.split(separator)
  for (let i = 0; i < left.length && i < right.length; i++) {
    const order = compareTexts(left[i]!, right[i]!)
    if (order !== 0) return order
  }
  return left.length - right.length
}

const integer = /^-?\d+$/

function scalarText(value: Scalar): Key | null {
  if (typeof value === 'bigint') return String(value)
  if (typeof value === 'number' && !Number.isFinite(value)) return null
  return JSON.stringify(value)
}

function exactInteger(_name: string, value: unknown, context?: { source?: string }): unknown {
  if (typeof value !== 'number' || Number.isSafeInteger(value)) return value
  const source = context?.source ?? ''
  return integer.test(source) ? BigInt(source) : value
}

/** The value's digits, if all that follows the prefix are digits and the closing brace. */
function plainInteger(bytes: Uint8Array, prefix: Buffer): Key | undefined {
  const end = bytes.length - 1
  let at = prefix.length
  if (end <= at || end - at > 15) return undefined
  for (let i = 0; i < at; i++) if (bytes[i] !== prefix[i]) return undefined
  let value = 0
  for (; at < end; at++) {
    const digit = bytes[at]! - 0x30
    if (digit < 0 || digit > 9) return undefined
    value = value * 10 + digit
  }
  return bytes[end] === 0x7d ? String(value) : undefined
}

function keyMembers(bytes: Uint8Array): (readonly [name: string, text: string])[] {
  const members: (readonly [string, string])[] = []
  let at = skipSpace(bytes, 0)
  if (bytes[at] !== 0x7b) throw new SyntaxError('a key must be a JSON object')
  at = skipSpace(bytes, at + 1)
  while (bytes[at] !== 0x7d) {
    const nameEnd = endOfValue(bytes, at)
    const start = skipSpace(bytes, skipSpace(bytes, nameEnd) + 1)
    const end = endOfValue(bytes, start)
    const name = JSON.parse(textOf(bytes, at, nameEnd)) as string
    members.push([name, canonical(textOf(bytes, start, end))])
    at = skipSpace(bytes, end)
    if (bytes[at] === 0x2c) at = skipSpace(bytes, at + 1)
  }
  return members
}

/** Text as JSON.stringify would write it; of integers every digit is kept. */
function canonical(text: string): string {
  if (text[0] === '"' ? !text.includes('\\') : integer.test(text)) return text === '-0' ? '0' : text
  return stringifyRow(JSON.parse(text))
}

export function textOf(bytes: Uint8Array, start = 0, end = bytes.length): string {
  const buffer = Buffer.isBuffer(bytes)
    ? bytes
    : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  return buffer.toString('utf8', start, end)
}

function compareTexts(a: string, b: string): number {
  if (a === b) return 0
  if (integer.test(a) && integer.test(b)) return BigInt(a) < BigInt(b) ? -1 : 1
  const left: unknown = JSON.parse(a)
  const right: unknown = JSON.parse(b)
  if (typeof left === 'number' && typeof right === 'number') return left - right
  return compare(String(left), String(right)) || compare(a, b)
}

/** By UTF-16 code unit, whatever the machine's language. */
function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
