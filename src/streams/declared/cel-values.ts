import { Decimal } from '../../core/decimal.ts'
import type { Json, Row } from '../../core/json.ts'
import { schemaOf } from '../../core/row.ts'
import type { Column, ColumnKind, Schema } from '../../core/schema.ts'

type Convert = (value: Json) => unknown

/**
 * A column's value as an expression sees it, by the column's type and never by the value: int2,
 * int4, int8 and oid are integers, numeric is a decimal, other numbers are doubles. `undefined`: no
 * such column.
 */
export function columnValue(row: Row, name: string): unknown {
  const value = row[name]
  if (value === undefined || value === null) return value
  const schema = schemaOf(row)
  const convert = schema && conversions(schema).get(name)
  return convert === undefined ? value : convert(value)
}

/** What a row holds of an expression's result. */
export function toJson(value: unknown): Json {
  if (value === null || value === undefined) return null
  if (typeof value !== 'object') return value as Json
  if (value instanceof Decimal) return value.toString()
  if (value instanceof Date) return value.toISOString()
  if (value instanceof Uint8Array) return Buffer.from(value).toString('base64')
  if (Array.isArray(value)) return value.map(toJson)
  if (value instanceof Map)
    return fromEntries([...value].map(([name, each]) => [String(name), each]))
  const plain = value.valueOf()
  return typeof plain === 'object' ? fromEntries(Object.entries(plain)) : (plain as Json)
}

function fromEntries(entries: readonly (readonly [string, unknown])[]): Json {
  return Object.fromEntries(entries.map(([name, value]) => [name, toJson(value)]))
}

/** Throws a TypeError for what is no finite number. */
export function decimal(value: unknown): Decimal {
  if (value instanceof Decimal) return value
  const isNumeric =
    typeof value === 'string' || typeof value === 'number' || typeof value === 'bigint'
  const made = isNumeric ? Decimal.of(value) : undefined
  if (made === undefined) throw new TypeError(`${JSON.stringify(value)} is no decimal number`)
  return made
}

const bySchema = new WeakMap<Schema, ReadonlyMap<string, Convert>>()

function conversions(schema: Schema): ReadonlyMap<string, Convert> {
  let known = bySchema.get(schema)
  if (known === undefined) {
    known = new Map(
      schema.columns.flatMap((column) => {
        const convert = conversion(column)
        return convert === undefined ? [] : [[column.name, convert] as const]
      }),
    )
    bySchema.set(schema, known)
  }
  return known
}

const integerType = /^_?(int2|int4|oid)\b/

function conversion({ kind, element, type }: Column): Convert | undefined {
  const one = scalar(element ?? kind, integerType.test(type))
  if (kind !== 'array' || one === undefined) return one
  const each: Convert = (value) => {
    return Array.isArray(value) ? value.map(each) : value === null ? null : one(value)
  }
  return each
}

function scalar(kind: ColumnKind, isInteger: boolean): Convert | undefined {
  if (kind === 'decimal') return (value) => Decimal.of(value as string) ?? value
  if (kind !== 'number' || !isInteger) return undefined
  return (value) => (typeof value === 'number' ? BigInt(value) : value)
}
