import type { Random } from '../../crash/random.ts'

/*
 * A database of five tables: `root` with `child`ren and their `grand`children, and two tables that
 * rows look things up in. Keys, columns and references differ with the seed.
 */

export type ColumnType =
  | 'int4'
  | 'int8'
  | 'numeric'
  | 'float8'
  | 'text'
  | 'bool'
  | 'timestamptz'
  | 'date'
  | 'uuid'
  | 'jsonb'
  | 'int4[]'

export interface TestColumn {
  readonly name: string
  readonly type: ColumnType
}

/** Columns that hold another table's key. */
export interface Reference {
  readonly to: TestTable
  /** By column of the other's key, the column here. */
  readonly columns: Readonly<Record<string, string>>
  /** Whether the database holds it, and lets it follow changes and deletes. */
  readonly isEnforced: boolean
}

export interface TestTable {
  readonly name: string
  readonly key: readonly TestColumn[]
  /** Beside those of the key and of references. */
  readonly values: readonly TestColumn[]
  readonly references: readonly Reference[]
}

export function topicOf({ name }: TestTable): string {
  return `db.public.${name}`
}

export function columnsOf({ key, values, references }: TestTable): readonly TestColumn[] {
  const pointing = references.flatMap(({ to, columns }) =>
    to.key.map(({ name, type }) => ({ name: columns[name]!, type })),
  )
  return [...key, ...pointing, ...values]
}

export function randomTables(random: Random): readonly TestTable[] {
  const make = (name: string, targets: readonly (TestTable | 'itself')[]) =>
    randomTable(random, name, targets)
  const town = make('town', [])
  const good = make('good', [])
  const root = make('root', [town, ...(random.below(2) === 0 ? (['itself'] as const) : [])])
  const child = make('child', [root, good])
  const grand = make('grand', [child, ...(random.below(2) === 0 ? [town] : [])])
  return [town, good, root, child, grand]
}

export function createTable(table: TestTable, random: Random): string {
  const { name, key, references } = table
  const columns = columnsOf(table).map((column) => `${quoted(column.name)} ${column.type}`)
  const keyed = `primary key (${key.map((column) => quoted(column.name)).join(', ')})`
  const held = references.filter(({ isEnforced }) => isEnforced).map((r) => constraint(r, random))
  const identity = random.below(4) === 0 ? `alter table ${name} replica identity full;` : ''
  return `create table ${name} (${[...columns, keyed, ...held].join(', ')}); ${identity}
    ${columnsOf(table).some((column) => column.name === 'long') ? external(name) : ''}`
}

export function quoted(name: string): string {
  return `"${name}"`
}

/** Values that are too long for the row lie beside it, and an update leaves them out. */
function external(table: string): string {
  return `alter table ${table} alter column long set storage external;`
}

function constraint({ to, columns }: Reference, random: Random): string {
  const names = to.key.map(({ name }) => name)
  const own = names.map((name) => quoted(columns[name]!)).join(', ')
  const others = names.map(quoted).join(', ')
  const onDelete = random.pick(['cascade', 'set null'])
  return `foreign key (${own}) references ${to.name} (${others})
    on update cascade on delete ${onDelete}`
}

const keys: readonly (readonly TestColumn[])[] = [
  [{ name: 'id', type: 'int4' }],
  [{ name: 'id', type: 'int4' }],
  [{ name: 'id', type: 'int8' }],
  [{ name: 'code', type: 'text' }],
  [{ name: 'id', type: 'uuid' }],
  [
    { name: 'shelf', type: 'text' },
    { name: 'hall', type: 'int4' },
  ],
  [
    { name: 'a', type: 'int4' },
    { name: 'b', type: 'int8' },
  ],
]

const optional: readonly TestColumn[] = [
  { name: 'flag', type: 'bool' },
  { name: 'at', type: 'timestamptz' },
  { name: 'day', type: 'date' },
  { name: 'doc', type: 'jsonb' },
  { name: 'list', type: 'int4[]' },
  { name: 'ratio', type: 'float8' },
  { name: 'big', type: 'int8' },
  { name: 'long', type: 'text' },
  { name: 'odd name', type: 'text' },
]

function randomTable(
  random: Random,
  name: string,
  targets: readonly (TestTable | 'itself')[],
): TestTable {
  const key = random.pick(keys)
  const values: TestColumn[] = [
    { name: 'n', type: 'int4' },
    { name: 'price', type: 'numeric' },
    { name: 'name', type: 'text' },
    ...random.shuffle(optional).slice(0, random.between(1, 5)),
  ]
  const own = { name, key, values }
  const references = targets.map((target): Reference => {
    const to = target === 'itself' ? { ...own, references: [] } : target
    const base = target === 'itself' ? 'up' : target.name
    const columns = to.key.map((column) => [column.name, `${base}_${column.name}`])
    const isEnforced = target !== 'itself' && random.below(3) === 0
    return { to, columns: Object.fromEntries(columns), isEnforced }
  })
  return { ...own, references }
}
