import type { Json } from '../../../src/core/json.ts'
import { CaseFault } from '../difference.ts'
import { printJson } from '../json.ts'

/** `[name, …arguments]`, as a case file has it. */
export type Expression = readonly [name: string, ...args: readonly unknown[]]

/** What the names in an expression stand for. */
export interface Values {
  readonly key?: Json
  readonly value?: Json
  readonly left?: Json
  readonly right?: Json
  readonly agg?: Json
  readonly agg2?: Json
  /** Of a windowed table. */
  readonly wstart?: Json
  readonly wend?: Json
}

/** Parses an expression once; what is not understood is a fault of the case. */
export function compile(expression: unknown): (values: Values) => Json {
  if (!Array.isArray(expression) || typeof expression[0] !== 'string') {
    throw new CaseFault(`not an expression: ${printJson(expression)}`)
  }
  const [name, ...args] = expression as unknown as Expression
  if (name === 'const') return () => args[0] as Json
  if (name === 'key' || name === 'wstart' || name === 'wend') return (v) => v[name] ?? null
  if (isRoot(name)) return (values) => atPath(values[name] ?? null, args)
  if (name === 'obj') return compileObject(args[0] as Readonly<Record<string, unknown>>)
  const operation = operations[name]
  if (operation === undefined) throw new CaseFault(`the expression ${name} is not understood`)
  const operands = args.map(compile)
  return (values) => operation(...operands.map((operand) => operand(values)))
}

type Root = 'value' | 'left' | 'right' | 'agg' | 'agg2'

function isRoot(name: string): name is Root {
  return ['value', 'left', 'right', 'agg', 'agg2'].includes(name)
}

function atPath(root: Json, path: readonly unknown[]): Json {
  let value: unknown = root
  for (const step of path) {
    if (typeof value !== 'object' || value === null) return null
    value = (value as Readonly<Record<string, unknown>>)[String(step)]
  }
  return (value ?? null) as Json
}

function compileObject(members: Readonly<Record<string, unknown>>) {
  const compiled = Object.entries(members).map(([name, part]) => [name, compile(part)] as const)
  return (values: Values): Json =>
    Object.fromEntries(compiled.map(([name, part]) => [name, part(values)]))
}

type Operation = (...operands: readonly Json[]) => Json

const operations: Readonly<Record<string, Operation>> = {
  eq: (a, b) => same(a!, b!),
  ne: (a, b) => !same(a!, b!),
  lt: (a, b) => ordered(a!, b!, (x, y) => x < y),
  le: (a, b) => ordered(a!, b!, (x, y) => x <= y),
  gt: (a, b) => ordered(a!, b!, (x, y) => x > y),
  ge: (a, b) => ordered(a!, b!, (x, y) => x >= y),
  and: (...all) => all.every((one) => one === true),
  or: (...all) => all.some((one) => one === true),
  not: (a) => a !== true,
  isNull: (a) => a === null,
  if: (condition, a, b) => (condition === true ? a! : b!),
  add: (...all) => all.reduce<number>((sum, one) => sum + number(one), 0),
  sub: (a, b) => number(a!) - number(b!),
  mod: (a, b) => ((number(a!) % number(b!)) + number(b!)) % number(b!),
  concat: (...all) => all.map((one) => (typeof one === 'string' ? one : printJson(one))).join(''),
  arr: (...all) => all,
  append: (list, item) => [...listOf(list!), item!],
  remove: (list, item) => {
    const items = listOf(list!)
    const place = items.findIndex((one) => same(one, item!))
    return place < 0 ? items : items.toSpliced(place, 1)
  },
  concatArr: (a, b) => [...listOf(a!), ...listOf(b!)],
}

/** Deep, and whatever the order of members. */
export function same(a: Json, b: Json): boolean {
  return canonical(a) === canonical(b)
}

function canonical(value: Json): string {
  return JSON.stringify(value, (_name, part) => {
    if (typeof part !== 'object' || part === null || Array.isArray(part)) return part
    return Object.fromEntries(Object.entries(part).sort(([x], [y]) => (x < y ? -1 : 1)))
  })
}

type Holds = (a: number | string, b: number | string) => boolean

function ordered(a: Json, b: Json, holds: Holds): boolean {
  if (typeof a === 'number' && typeof b === 'number') return holds(a, b)
  return typeof a === 'string' && typeof b === 'string' && holds(a, b)
}

function number(value: Json): number {
  return typeof value === 'number' ? value : 0
}

function listOf(value: Json): readonly Json[] {
  return Array.isArray(value) ? value : []
}
