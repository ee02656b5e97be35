import type { Environment } from '@marcbachmann/cel-js'
import { Decimal } from '../../core/decimal.ts'
import { decimal } from './cel-values.ts'

/** Aggregates over lists, as SQL has them: nulls do not count, and without values they are null. */
export function listFunctions(environment: Environment): void {
  environment
    .registerFunction('list.sum(): dyn', (list: List) => values(list).reduce(add, null))
    .registerFunction('list.avg(): dyn', average)
    .registerFunction('list.min(): dyn', (list: List) => extreme(list, -1))
    .registerFunction('list.max(): dyn', (list: List) => extreme(list, 1))
    .registerFunction('list.distinct(): list', distinct)
    .registerFunction('list.joined(string): dyn', joined)
    .registerFunction('list.sorted(): list', (list: List) => [...list].sort(compareValues))
}

type List = readonly unknown[]

/**
 * Orders values of one kind: numbers of all kinds by size, texts by code unit, false before true,
 * times by time; null last, as in SQL.
 */
export function compareValues(a: unknown, b: unknown): number {
  if (a === null || b === null) return Number(a === null) - Number(b === null)
  if (isNumber(a) && isNumber(b)) {
    const isPlain = typeof a === typeof b && !(a instanceof Decimal)
    return isPlain ? compare(a, b) : decimal(a).compare(decimal(b))
  }
  if (a instanceof Date && b instanceof Date) return a.getTime() - b.getTime()
  if (typeof a !== typeof b) throw new TypeError(`${typeof a} and ${typeof b} have no order`)
  return compare(a as string, b as string)
}

function values(list: List): List {
  return list.filter((value) => value !== null && value !== undefined)
}

function add(sum: unknown, value: unknown): unknown {
  if (!isNumber(value))
    throw new TypeError(`${JSON.stringify(value)} cannot be summed: see decimal()`)
  if (sum === null) return value
  if (typeof sum === 'bigint' && typeof value === 'bigint') return sum + value
  if (sum instanceof Decimal || value instanceof Decimal) return decimal(sum).plus(decimal(value))
  return Number(sum) + Number(value)
}

/** Of doubles a double, of all else a decimal, as in Postgres. */
function average(list: List): unknown {
  const counted = values(list)
  const sum = counted.reduce(add, null)
  if (sum === null) return null
  if (typeof sum === 'number') return sum / counted.length
  return decimal(sum).over(decimal(counted.length))
}

function extreme(list: List, side: 1 | -1): unknown {
  let found: unknown = null
  for (const value of values(list))
    if (found === null || compareValues(value, found) * side > 0) found = value
  return found
}

function distinct(list: List): unknown[] {
  const seen = new Set<string>()
  return list.filter((value) => {
    const text = JSON.stringify(value, (_, each) =>
      typeof each === 'bigint' ? String(each) : each,
    )
    if (seen.has(text)) return false
    seen.add(text)
    return true
  })
}

function joined(list: List, separator: string): string | null {
  const texts = values(list).map(String)
  return texts.length === 0 ? null : texts.join(separator)
}

function isNumber(value: unknown): value is number | bigint | Decimal {
  return typeof value === 'number' || typeof value === 'bigint' || value instanceof Decimal
}

function compare(a: number | bigint | string | Decimal, b: typeof a): number {
  return a < b ? -1 : a > b ? 1 : 0
}
