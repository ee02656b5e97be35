import fc from 'fast-check'
import { allTypes, type GeneratedType } from './generated-types.ts'

/** A table and what is done with its rows, made up by fast-check. */
export interface GeneratedTable {
  readonly identity: 'DEFAULT' | 'FULL'
  readonly columns: readonly GeneratedColumn[]
}

export interface GeneratedColumn {
  readonly name: string
  readonly type: GeneratedType
  /** Stands in the primary key, after `id`. */
  readonly key: boolean
  /** An update that leaves it alone may not be sent its value, if that is stored elsewhere. */
  readonly updated: boolean
  /** Literals; the rows take them in turn. */
  readonly values: readonly (string | null)[]
}

export interface TableSize {
  readonly columns: number
  readonly rows: number
}

export function generatedTable({ columns, rows }: TableSize): fc.Arbitrary<GeneratedTable> {
  return fc.record({
    identity: fc.constantFrom('DEFAULT', 'FULL'),
    columns: fc.uniqueArray(column(rows), {
      ...{ minLength: 1, maxLength: columns, size: 'max' },
      selector: ({ name }) => name,
    }),
  })
}

/** `table` is the name in quotes; `id` numbers the rows from 1. */
export function createTable(table: string, { identity, columns }: GeneratedTable): string {
  const defined = columns.map(({ name, type }) => `${quoteName(name)} ${type.sql}`)
  const key = ['id', ...columns.filter(({ key }) => key).map(({ name }) => quoteName(name))]
  const external = columns.filter(({ type }) => storedElsewhere.test(type.sql))
  const storage = external.map(({ name }) => `ALTER ${quoteName(name)} SET STORAGE EXTERNAL`)
  return [
    `CREATE TABLE ${table} (id int, ${defined.join(', ')}, PRIMARY KEY (${key.join(', ')}))`,
    ...(storage.length > 0 ? [`ALTER TABLE ${table} ${storage.join(', ')}`] : []),
    `ALTER TABLE ${table} REPLICA IDENTITY ${identity}`,
  ].join(';\n')
}

/** A row of the table in the order of its columns. */
export function rowAt({ columns }: GeneratedTable, row: number): readonly (string | null)[] {
  return columns.map(({ values }) => values[row % values.length]!)
}

export function rowCount({ columns }: GeneratedTable): number {
  return Math.max(...columns.map(({ values }) => values.length))
}

export function insertRows(table: string, plan: GeneratedTable): string {
  const rows = Array.from({ length: rowCount(plan) }, (_, row) => {
    const values = rowAt(plan, row).map((value, i) => literal(value, plan.columns[i]!))
    return `(${[row + 1, ...values].join(', ')})`
  })
  return `INSERT INTO ${table} VALUES ${rows.join(',\n')}`
}

/** Each row takes over some values of the next one; keys change with them. */
export function updateRows(table: string, plan: GeneratedTable): string {
  const updates = Array.from({ length: rowCount(plan) }, (_, row) => {
    const next = rowAt(plan, row + 1)
    const sets = plan.columns.flatMap((column, i) =>
      column.updated ? [`${quoteName(column.name)} = ${literal(next[i]!, column)}`] : [],
    )
    return `UPDATE ${table} SET ${['id = id', ...sets].join(', ')} WHERE id = ${row + 1}`
  })
  return updates.join(';\n')
}

export function quoteName(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}

function literal(value: string | null, { type }: GeneratedColumn): string {
  return value === null ? 'NULL' : `'${value.replaceAll("'", "''")}'::${type.sql}`
}

const storedElsewhere =
  /^(text|varchar|citext|bytea|jsonb?|numeric|text\[\]|jsonb\[\]|hstore|words)$/

/** What a btree takes, in values that fit a page of it. */
const keyTypes = new Set(
  [
    ...[
      'int2',
      'int8',
      'text',
      'varchar(7)',
      'char(6)',
      'uuid',
      'date',
      'timestamp',
      'timestamptz',
    ],
    ...['numeric', 'numeric(10,2)', 'bytea', 'bool', 'mood', 'price', 'citext', 'inet', 'words'],
    ...['float8', 'interval', 'timetz', 'int4[]', 'bit(11)', 'name', 'int4range', 'ltree', 'oid'],
    ...['inner_item', '"Net price"', 'numeric[]', 'varbit', 'macaddr', 'money', 'isbn', 'moment'],
  ].filter((sql) => allTypes.some((type) => type.sql === sql)),
)
const longestKey = 300

const names = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.constantFrom(
      ...[
        'select',
        'Größe "x"',
        'a.b',
        "it's",
        'tab\tname',
        '__proto__',
        'constructor',
        'back\\slash',
      ],
      ...[
        '💥',
        ' ',
        'toString',
        'id ',
        'ID',
        '{}',
        '[1]',
        'a,b',
        '%s',
        '$1',
        'line\nbreak',
        'after',
      ],
      ...[
        'before',
        'source',
        'op',
        'key',
        '"',
        '\\',
        '\u2028',
        'null',
        'x'.repeat(63),
        '1',
        '\u0001',
      ],
    ),
  },
  {
    weight: 1,
    arbitrary: fc
      .string({ unit: 'binary', minLength: 1, maxLength: 15 })
      .map((name) => `n${name.toWellFormed().replaceAll('\0', '')}`),
  },
)

function column(rows: number): fc.Arbitrary<GeneratedColumn> {
  const type = fc.nat(allTypes.length - 1).map((place) => allTypes[place]!)
  return fc.tuple(names, type, fc.nat(4), fc.nat(2)).chain(([name, type, keyDice, updatedDice]) => {
    const key = keyDice === 4 && keyTypes.has(type.sql)
    const literals = key ? type.literals.filter((text) => text.length < longestKey) : type.literals
    const value: fc.Arbitrary<string | null> = key ? literals : fc.option(literals, { freq: 8 })
    const values = fc.array(value, { minLength: 1, maxLength: rows, size: 'max' })
    return fc.record({
      ...{ name: fc.constant(name), type: fc.constant(type), key: fc.constant(key) },
      ...{ updated: fc.constant(updatedDice > 0), values },
    })
  })
}
