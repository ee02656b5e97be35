import type { Random } from '../../crash/random.ts'
import {
  type ColumnType,
  columnsOf,
  quoted,
  type Reference,
  type TestColumn,
  type TestTable,
} from './schema.ts'

/** So few that rows meet: inserts fail, references hit and miss, writers wait for each other. */
const keysOfTable = 8

/** A statement that changes rows of a random table. */
export function randomStatement(tables: readonly TestTable[], random: Random): string {
  const table = random.pick([...tables, ...tables.slice(2)])
  const chance = random.below(20)
  if (chance < 6) return insert(table, random)
  if (chance < 10) return update(table, random, keyIs(table, random))
  if (chance < 12) return update(table, random, `n % 3 = ${random.below(3)}`)
  if (chance < 15) return move(table, random)
  if (chance < 17) return changeKey(table, random)
  if (chance < 18) return `delete from ${table.name} where n % 7 = ${random.below(7)}`
  return `delete from ${table.name} where ${keyIs(table, random)}`
}

/** So many rows, with so long values, that a commit of them goes through the log in parts. */
export function manyRows(tables: readonly TestTable[]): readonly [come: string, go: string][] {
  const table = tables.find(({ values }) => values.some(({ name }) => name === 'long'))
  if (table === undefined) return []
  const columns = table.key.map(({ name }) => quoted(name)).join(', ')
  const values = table.key.map(({ type }) => manyKeys[type] ?? 'i').join(', ')
  const text = `repeat(md5(i::text), 300)`
  const come = `insert into ${table.name} (${columns}, long)
    select ${values}, ${text} from generate_series(1000, 1600) i`
  return [[come, `delete from ${table.name} where length(long) > 9000`]]
}

const manyKeys: Partial<Record<ColumnType, string>> = {
  text: `'many ' || i`,
  uuid: `('00000000-0000-4000-8000-00000000' || i)::uuid`,
}

export function insert(table: TestTable, random: Random): string {
  const rows = Array.from({ length: random.between(1, 4) }, () => `(${row(table, random)})`)
  const names = columnsOf(table).map(({ name }) => quoted(name))
  const onto = random.below(3) === 0 ? `do update set ${upserted(table, random)}` : 'do nothing'
  const [first] = rows
  const values = onto === 'do nothing' ? rows.join(', ') : first
  return `insert into ${table.name} (${names.join(', ')}) values ${values}
    on conflict (${table.key.map(({ name }) => quoted(name)).join(', ')}) ${onto}`
}

function row(table: TestTable, random: Random): string {
  const key = keyValues(table.key, random.below(keysOfTable))
  const pointing = table.references.flatMap((reference) => pointer(reference, random))
  const values = table.values.map((column) => value(column, random))
  return [...key, ...pointing, ...values].join(', ')
}

function upserted({ values }: TestTable, random: Random): string {
  return random
    .shuffle(values)
    .slice(0, random.between(1, 3))
    .map(({ name }) => `${quoted(name)} = excluded.${quoted(name)}`)
    .join(', ')
}

function update({ name, values }: TestTable, random: Random, where: string): string {
  const set = random
    .shuffle(values)
    .slice(0, random.between(1, 3))
    .map((column) => `${quoted(column.name)} = ${value(column, random)}`)
  return `update ${name} set ${set.join(', ')} where ${where}`
}

/** Lets a row point at another one, or at nothing. */
function move(table: TestTable, random: Random): string {
  const reference = random.pick(table.references)
  if (reference === undefined) return update(table, random, keyIs(table, random))
  const names = reference.to.key.map(({ name }) => quoted(reference.columns[name]!))
  const values = pointer(reference, random)
  const set = names.map((name, i) => `${name} = ${values[i]}`).join(', ')
  return `update ${table.name} set ${set} where ${keyIs(table, random)}`
}

function changeKey({ name, key, values }: TestTable, random: Random): string {
  const [from, to] = [random.below(keysOfTable), random.below(keysOfTable)]
  const next = keyValues(key, to)
  const set = key.map((column, i) => `${quoted(column.name)} = ${next[i]}`)
  if (random.below(2) === 0) {
    const column = random.pick(values)
    set.push(`${quoted(column.name)} = ${value(column, random)}`)
  }
  return `update ${name} set ${set.join(', ')} where ${isKey(key, from)}
    and not exists (select from ${name} where ${isKey(key, to)})`
}

function keyIs({ key }: TestTable, random: Random): string {
  return isKey(key, random.below(keysOfTable))
}

function isKey(key: readonly TestColumn[], n: number): string {
  const values = keyValues(key, n)
  return key.map(({ name }, i) => `${quoted(name)} = ${values[i]}`).join(' and ')
}

/** One that is there, if the database insists on it. */
function pointer({ to, isEnforced }: Reference, random: Random): readonly string[] {
  if (random.below(5) === 0) return to.key.map(() => 'null')
  const n = random.below(keysOfTable + 1)
  const values = keyValues(to.key, n)
  if (!isEnforced) {
    // Of a reference of several columns one may be null: it points at nothing.
    const hole = random.below(12) === 0 ? random.below(values.length) : -1
    return values.map((each, i) => (i === hole ? 'null' : each))
  }
  return to.key.map(
    ({ name }) => `(select ${quoted(name)} from ${to.name} where ${isKey(to.key, n)})`,
  )
}

function keyValues(key: readonly TestColumn[], n: number): readonly string[] {
  return key.map(({ type }, i) => keyValue(type, key.length === 1 ? n : i === 0 ? n % 3 : n >> 1))
}

function keyValue(type: ColumnType, n: number): string {
  if (type === 'text') return `'${['k', 'K', 'ä', 'a"b', '', 'z\\', '10', '9', 'é'][n]}'`
  if (type === 'uuid') return `'${n}2345678-9abc-4def-8123-456789abcdef'`
  if (type === 'int8') return `${n === 7 ? '9007199254740993' : n * 5}`
  return `${n * 3 - 3}`
}

function value({ name, type }: TestColumn, random: Random): string {
  if (random.below(6) === 0) return 'null'
  if (name === 'long') return `repeat('${random.pick(['x', 'y'])}', ${random.pick([3, 9000])})`
  return literals[type](random)
}

const literals: Readonly<Record<ColumnType, (random: Random) => string>> = {
  int4: (random) => String(random.between(-5, 12)),
  int8: (random) => random.pick(['1', '-7', '9007199254740993', '-9007199254740995', '42']),
  numeric: (random) => random.pick(['0.10', '19.90', '-3', '1e3', '7.125', '0', '2.500']),
  float8: (random) => random.pick(['0.25', '-1.5', '1e6', '3', '0']),
  text: (random) => random.pick(["'Ann'", "'bob'", "''", "'ä€'", "'x''y\"z'", "'line\nbreak'"]),
  bool: (random) => random.pick(['true', 'false']),
  timestamptz: (random) => random.pick(["'2024-01-02 03:04:05Z'", "'1999-12-31 23:59:59.125Z'"]),
  date: (random) => random.pick(["'2024-02-29'", "'1970-01-01'"]),
  uuid: () => "'00000000-0000-4000-8000-000000000000'",
  jsonb: (random) => random.pick([`'{"a": {"b": "ab"}, "n": 1.50}'`, `'[1, null]'`, `'"s"'`]),
  'int4[]': (random) => random.pick(["'{1,2}'", "'{}'", "'{NULL,3}'"]),
}
