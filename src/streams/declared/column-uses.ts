import type { Branch, Field, TableName } from './branch.ts'
import { element, type Path } from './paths.ts'

/** A column that a view names. */
export interface ColumnUse {
  readonly table: TableName
  readonly column: string
  /** It is one of the key's, which the documents of a view need not have. */
  readonly isKey?: boolean
  /** Where in the view's description: `one.customer.where`. */
  readonly place: string
}

/** Every column that a view's description names, of whatever table in it. */
export function columnUses(branch: Branch): readonly ColumnUse[] {
  return [...usesOf(branch, '')]
}

/** The members of a view's documents; `ofTable` says the columns of what it is made of. */
export function membersOf(
  { from, fields, without, one, many, compute }: Branch,
  ofTable: (table: TableName) => readonly string[] | undefined,
): readonly string[] | undefined {
  const own = fields?.map(({ name }) => name) ?? ofTable(from)?.filter((name) => !without.has(name))
  const included = [...one, ...many].filter(({ isShown }) => isShown)
  return own && [...own, ...[...included, ...compute].map(({ name }) => name)]
}

function* usesOf(branch: Branch, at: string): Generator<ColumnUse> {
  const { from, where, fields, without, compute, one, many } = branch
  if (where !== undefined) yield* usesIn(branch, where.paths, `${at}where`)
  yield* fieldUses(branch, fields ?? [], `${at}fields`)
  yield* fieldUses(branch, compute, `${at}compute`)
  for (const column of without) yield { table: from, column, place: `${at}without` }
  for (const { name, on, branch: other } of one) {
    const place = `${at}one.${name}`
    for (const column of columnsOf(on)) yield { table: from, column, place: `${place}.on` }
    yield* keyUses(other, on, `${place}.on`)
    yield* usesOf(other, `${place}.`)
  }
  for (const { name, on, orderBy, branch: other } of many) {
    const place = `${at}many.${name}`
    for (const column of columnsOf(on)) yield { table: other.from, column, place: `${place}.on` }
    yield* keyUses(branch, on, `${place}.on`)
    for (const { by } of orderBy) yield* usesIn(other, by.paths, `${place}.orderBy`)
    yield* usesOf(other, `${place}.`)
  }
}

type On = string | Readonly<Record<string, string>>

function columnsOf(on: On): readonly string[] {
  return typeof on === 'string' ? [on] : Object.values(on)
}

function* keyUses({ from }: Branch, on: On, place: string): Generator<ColumnUse> {
  const columns = typeof on === 'string' ? [] : Object.keys(on)
  for (const column of columns) yield { table: from, column, place, isKey: true }
}

function* fieldUses(branch: Branch, fields: readonly Field[], at: string): Generator<ColumnUse> {
  for (const { name, value } of fields) {
    const place = value.text === name ? at : `${at}.${name}`
    yield* usesIn(branch, value.paths, place)
  }
}

function* usesIn(branch: Branch, paths: readonly Path[], place: string): Generator<ColumnUse> {
  for (const path of paths) {
    const found = resolved(branch, path)
    if (found !== undefined) yield { ...found, place }
  }
}

/** The column that a path comes to, through what is included; `undefined` if it is none. */
function resolved(branch: Branch, path: Path): Omit<ColumnUse, 'place'> | undefined {
  const [first, ...rest] = path
  if (first === undefined || first === element) return undefined
  const one = branch.one.find(({ name }) => name === first)
  if (one !== undefined) return resolved(one.branch, rest)
  const many = branch.many.find(({ name }) => name === first)
  if (many !== undefined)
    return rest[0] === element ? resolved(many.branch, rest.slice(1)) : undefined
  return { table: branch.from, column: first }
}
