import type { Random } from '../../crash/random.ts'

/*
 * Expressions in the two languages at once: what a view is told, and what the database is asked.
 */

export type Kind = 'int' | 'big' | 'decimal' | 'double' | 'text' | 'bool' | 'time' | 'other'

export interface Expression {
  readonly cel: string
  readonly sql: string
  readonly kind: Kind
}

/** What an expression may name. */
export interface Names {
  /** `isExact`: its type is known, so that integers divide as such. */
  readonly columns: readonly (Expression & { readonly isTyped: boolean })[]
  /** Rows that are there or not. */
  readonly rows: readonly { readonly cel: string; readonly isThere: string }[]
  readonly lists: readonly NamedList[]
}

export interface NamedList {
  readonly cel: string
  /** What the elements' expressions may name, behind `e.`. */
  readonly element: Names
  /** Has the database work out an aggregate over the elements; gives the name of the result. */
  readonly aggregate: (sql: string) => string
}

/** An expression over the names, of any kind. */
export function anyExpression(names: Names, random: Random): Expression {
  const make = random.pick([
    int,
    decimal,
    double,
    text,
    bool,
    int,
    decimal,
    text,
    big,
    aggregate,
    aggregate,
  ])
  return make(names, random, 2)
}

/** What decides about rows. */
export function bool(names: Names, random: Random, depth = 2): Expression {
  const chance = random.below(depth > 0 ? 11 : 6)
  if (chance < 2) return comparison(names, random, depth)
  if (chance === 2) return equality(names, random, depth)
  if (chance === 3) return ofText(names, random)
  if (chance === 4) return presence(names, random)
  if (chance === 5) return flag(names, random) ?? comparison(names, random, depth)
  if (chance === 6) return time(names, random) ?? membership(names, random)
  if (chance === 7) return existence(names, random) ?? membership(names, random)
  const left = bool(names, random, depth - 1)
  if (chance === 8) return { cel: `!(${left.cel})`, sql: `not (${left.sql})`, kind: 'bool' }
  const right = bool(names, random, depth - 1)
  const [cel, sql] = chance === 9 ? ['&&', 'and'] : ['||', 'or']
  return joined(left, [cel!, sql!], right, 'bool')
}

export function int(names: Names, random: Random, depth = 2): Expression {
  const chance = random.below(depth > 0 ? 8 : 2)
  const columns = names.columns.filter(({ kind }) => kind === 'int')
  if (chance < 2) {
    const column = random.below(4) > 0 ? random.pick(columns) : undefined
    return column === undefined
      ? literal(String(random.between(1, 9)), 'int')
      : { ...column, sql: `(${column.sql})::numeric` }
  }
  if (chance === 2) {
    const typed = random.pick(columns.filter(({ isTyped }) => isTyped))
    if (typed !== undefined) {
      const by = random.between(2, 5)
      const sql = `div((${typed.sql})::numeric, ${by})`
      return { cel: `(${typed.cel} / ${by})`, sql, kind: 'int' }
    }
  }
  if (chance === 3) return sizeOf(text(names, random, depth - 1))
  if (chance === 4) return choice(names, random, [depth, int])
  const left = int(names, random, depth - 1)
  if (chance === 5) return coalesced(left, literal(String(random.between(0, 4)), 'int'))
  const operator = random.pick(['+', '-', '*'])
  return joined(left, [operator, operator], int(names, random, 0), 'int')
}

/** Beyond what a double holds exactly. */
function big({ columns }: Names, random: Random): Expression {
  const column = random.pick(columns.filter(({ kind }) => kind === 'big'))
  const [cel, sql] = column === undefined ? ['1', '1'] : [column.cel, `(${column.sql})::numeric`]
  const more = random.below(3)
  return { cel: `(${cel} + ${more})`, sql: `(${sql} + ${more})`, kind: 'int' }
}

export function decimal(names: Names, random: Random, depth = 2): Expression {
  const chance = random.below(depth > 0 ? 8 : 2)
  if (chance < 2) {
    const column = random.pick(names.columns.filter(({ kind }) => kind === 'decimal'))
    return column ?? { cel: "decimal('1.50')", sql: '1.50::numeric', kind: 'decimal' }
  }
  const left = decimal(names, random, depth - 1)
  if (chance === 2) {
    const scale = random.below(3)
    return {
      cel: `${left.cel}.round(${scale})`,
      sql: `round(${left.sql}, ${scale})`,
      kind: 'decimal',
    }
  }
  if (chance === 3)
    return joined(left, ['/', '/'], literal(random.pick(['3', '7', '-4']), 'int'), 'decimal')
  if (chance === 4) return coalesced(left, { cel: "decimal('0.0')", sql: '0.0', kind: 'decimal' })
  if (chance === 5) return choice(names, random, [depth, decimal])
  const operator = random.pick(['+', '-', '*'])
  const right = random.pick([decimal, int])(names, random, 0)
  return joined(left, [operator, operator], right, 'decimal')
}

export function double(names: Names, random: Random, depth = 2): Expression {
  const columns = names.columns.filter(({ kind }) => kind === 'double')
  const column = random.pick(columns)
  const leaf = column ?? { cel: '0.5', sql: '0.5::float8', kind: 'double' as const }
  if (depth === 0 || random.below(2) === 0) return leaf
  const operator = random.pick(['+', '-', '*'])
  const right: Expression = random.pick([
    { cel: '2', sql: '2', kind: 'int' },
    { cel: '0.25', sql: '0.25::float8', kind: 'double' },
    leaf,
  ])
  return joined(leaf, [operator, operator], right, 'double')
}

export function text(names: Names, random: Random, depth = 2): Expression {
  const chance = random.below(depth > 0 ? 7 : 2)
  if (chance < 2) {
    const column = random.pick(names.columns.filter(({ kind }) => kind === 'text'))
    return column ?? { cel: "'t'", sql: "'t'::text", kind: 'text' }
  }
  if (chance === 2) {
    const number = int(names, random, 0)
    return { cel: `string(${number.cel})`, sql: `(${number.sql})::text`, kind: 'text' }
  }
  if (chance === 3) return choice(names, random, [depth, text])
  const left = text(names, random, depth - 1)
  if (chance === 4) return coalesced(left, { cel: "'none'", sql: "'none'", kind: 'text' })
  if (chance === 5) {
    return { cel: `(${left.cel}).lowerAscii()`, sql: `lower(${left.sql})`, kind: 'text' }
  }
  return joined(left, ['+', '||'], text(names, random, 0), 'text')
}

/** An aggregate over a list, or something else where there is none. */
function aggregate(names: Names, random: Random): Expression {
  const list = random.pick(names.lists)
  if (list === undefined) return int(names, random, 2)
  const { element } = list
  const condition = random.below(3) === 0 ? bool(element, random, 1) : undefined
  const cel = condition === undefined ? list.cel : `${list.cel}.filter(e, ${condition.cel})`
  const only = condition === undefined ? '' : ` filter (where ${condition.sql})`
  const chance = random.below(6)
  if (chance === 0) {
    return {
      cel: `size(${cel})`,
      sql: `coalesce(${list.aggregate(`count(*)${only}`)}, 0)`,
      kind: 'int',
    }
  }
  const [make, method] = random.pick(aggregates)
  const value = make(element, random, 1)
  const sql = list.aggregate(`${method.sql(value.sql)}${only}`)
  return { cel: `${cel}.map(e, ${value.cel}).${method.cel}`, sql, kind: value.kind }
}

interface Method {
  readonly cel: string
  readonly sql: (value: string) => string
}

const method = (name: string): Method => ({
  cel: `${name}()`,
  sql: (value) => `${name}(${value})`,
})

const aggregates: readonly (readonly [typeof int, Method])[] = [
  [int, method('sum')],
  [decimal, method('sum')],
  [double, method('sum')],
  [big, method('sum')],
  [big, method('max')],
  [decimal, method('avg')],
  [int, method('min')],
  [decimal, method('max')],
  [text, { cel: 'min()', sql: (value) => `min((${value}) collate "C")` }],
  [text, { cel: 'max()', sql: (value) => `max((${value}) collate "C")` }],
  [text, { cel: "joined('; ')", sql: (value) => `string_agg((${value}), '; ' order by ordinal)` }],
]

/** A list of values, in the order of the rows. */
export function listed(names: Names, random: Random): Expression | undefined {
  const list = random.pick(names.lists)
  if (list === undefined) return undefined
  const value = random.pick([int, text, double])(list.element, random, 1)
  const sql = list.aggregate(`jsonb_agg(to_jsonb(${value.sql}) order by ordinal)`)
  const cel = `${list.cel}.map(e, ${value.cel})`
  return { cel, sql: `coalesce(${sql}, '[]')`, kind: 'other' }
}

function existence({ lists }: Names, random: Random): Expression | undefined {
  const list = random.pick(lists)
  if (list === undefined) return undefined
  const condition = bool(list.element, random, 1)
  const isAny = random.below(2) === 0
  const [cel, sql, none] = isAny ? ['exists', 'bool_or', 'false'] : ['all', 'bool_and', 'true']
  const result = list.aggregate(`${sql}(coalesce(${condition.sql}, false))`)
  return {
    cel: `${list.cel}.${cel}(e, ${condition.cel})`,
    sql: `coalesce(${result}, ${none})`,
    kind: 'bool',
  }
}

function comparison(names: Names, random: Random, depth: number): Expression {
  const make = random.pick([int, decimal, double, text])
  const left = make(names, random, depth - 1)
  const right =
    make === int ? random.pick([int, decimal])(names, random, 0) : make(names, random, 0)
  const operator = random.pick(['<', '<=', '>', '>='])
  const collated = make === text ? ' collate "C"' : ''
  // With null no comparison holds.
  const sql = `coalesce((${left.sql}) ${operator} (${right.sql})${collated}, false)`
  return { cel: `(${left.cel} ${operator} ${right.cel})`, sql, kind: 'bool' }
}

function equality(names: Names, random: Random, depth: number): Expression {
  const make = random.pick([int, decimal, text])
  const left = make(names, random, depth - 1)
  const right = random.below(4) === 0 ? literal('null', left.kind) : make(names, random, depth - 1)
  const [cel, sql] =
    random.below(2) === 0 ? ['==', 'is not distinct from'] : ['!=', 'is distinct from']
  return joined(left, [cel!, sql!], right, 'bool')
}

/** A function of null is null, and so is what it decides. */
function ofText(names: Names, random: Random): Expression {
  const subject = text(names, random, 0)
  const [cel, sql] = random.pick([
    [`startsWith('A')`, `like 'A%'`],
    [`contains('b')`, `like '%b%'`],
    [`endsWith('b')`, `like '%b'`],
  ] as const)
  return { cel: `(${subject.cel}).${cel}`, sql: `((${subject.sql}) ${sql})`, kind: 'bool' }
}

function presence({ rows, columns }: Names, random: Random): Expression {
  const row = random.pick(rows)
  const operator = random.pick(['==', '!='])
  if (row !== undefined) {
    const sql = `((${row.isThere}) is ${operator === '==' ? '' : 'not '}null)`
    return { cel: `(${row.cel} ${operator} null)`, sql, kind: 'bool' }
  }
  const column = random.pick(columns)
  const sql = `((${column.sql}) is ${operator === '==' ? '' : 'not '}null)`
  // The decimal of a text that is null is null; an "other" is compared as it is.
  return { cel: `(${column.cel} ${operator} null)`, sql, kind: 'bool' }
}

function flag({ columns }: Names, random: Random): Expression | undefined {
  return random.pick(columns.filter(({ kind }) => kind === 'bool'))
}

function time({ columns }: Names, random: Random): Expression | undefined {
  const column = random.pick(columns.filter(({ kind }) => kind === 'time'))
  if (column === undefined) return undefined
  const moment = '2010-01-01T00:00:00Z'
  const cel = `(timestamp(${column.cel}) > timestamp('${moment}'))`
  return { cel, sql: `coalesce((${column.sql}) > '${moment}', false)`, kind: 'bool' }
}

function membership(names: Names, random: Random): Expression {
  const subject = text(names, random, 0)
  const sql = `coalesce((${subject.sql}) in ('Ann', 'bob'), false)`
  return { cel: `(${subject.cel} in ['Ann', 'bob'])`, sql, kind: 'bool' }
}

function choice(
  names: Names,
  random: Random,
  [depth, make]: readonly [depth: number, make: typeof int],
): Expression {
  const condition = bool(names, random, depth - 1)
  const [yes, no] = [make(names, random, 0), make(names, random, 0)]
  const sql = `(case when ${condition.sql} then ${yes.sql} else ${no.sql} end)`
  return { cel: `(${condition.cel} ? ${yes.cel} : ${no.cel})`, sql, kind: yes.kind }
}

function sizeOf({ cel, sql }: Expression): Expression {
  return { cel: `size(${cel})`, sql: `length(${sql})::numeric`, kind: 'int' }
}

function coalesced(value: Expression, other: Expression): Expression {
  const sql = `coalesce(${value.sql}, ${other.sql})`
  return { cel: `coalesce(${value.cel}, ${other.cel})`, sql, kind: value.kind }
}

function joined(
  left: Expression,
  [cel, sql]: readonly [cel: string, sql: string],
  right: Expression,
  kind: Kind,
): Expression {
  return {
    cel: `(${left.cel} ${cel} ${right.cel})`,
    sql: `((${left.sql}) ${sql} (${right.sql}))`,
    kind,
  }
}

function literal(text: string, kind: Kind): Expression {
  return { cel: text, sql: text, kind }
}
