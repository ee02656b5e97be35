import type { Kind } from './expressions.ts'
import { type ColumnType, columnsOf, quoted, type TestTable, topicOf } from './schema.ts'

/** A table or view that a view can be made of. */
export interface Relation {
  /** As the configuration names it. */
  readonly name: string
  /** As the database names it. */
  readonly sql: string
  /** Whose keys its rows have. */
  readonly root: TestTable
  /** By column of the key, the column here, as SQL. */
  readonly key: ReadonlyMap<string, string>
  readonly columns: readonly RelationColumn[]
}

export interface RelationColumn {
  readonly name: string
  readonly sql: string
  readonly kind: Kind
  readonly isTyped: boolean
  readonly render: Render
}

/** An expression as the JSON that a document holds of it. */
export type Render = (sql: string) => string

export function relationOf(table: TestTable): Relation {
  return {
    name: topicOf(table),
    sql: table.name,
    root: table,
    key: new Map(table.key.map(({ name }) => [name, quoted(name)])),
    columns: columnsOf(table).map(({ name, type }) => {
      const { kind, render } = kindOf(type)
      return { name, sql: quoted(name), kind, isTyped: true, render }
    }),
  }
}

const asItIs: Render = (sql) => `to_jsonb(${sql})`
const asText: Render = (sql) => `to_jsonb((${sql})::text)`
const asMoment: Render = (sql) => `to_jsonb(replace(replace((${sql})::text, ' ', 'T'), '+00', 'Z'))`

/** How what an expression gives looks in a document. */
export const renders: Readonly<Record<Kind, Render>> = {
  int: asItIs,
  big: asItIs,
  decimal: asText,
  double: asItIs,
  text: asItIs,
  bool: asItIs,
  time: asMoment,
  other: asItIs,
}

function kindOf(type: ColumnType): { readonly kind: Kind; readonly render: Render } {
  if (type === 'date' || type === 'uuid') return { kind: 'other', render: asText }
  const kind = kinds[type] ?? 'other'
  return { kind, render: renders[kind] }
}

const kinds: Partial<Record<ColumnType, Kind>> = {
  int4: 'int',
  int8: 'big',
  numeric: 'decimal',
  float8: 'double',
  text: 'text',
  bool: 'bool',
  timestamptz: 'time',
}

/** The key of a row as JSON. */
export function keyJson({ root, key }: Relation, alias: string): string {
  const members = root.key.map(({ name, type }) => {
    return `'${name}', ${kindOf(type).render(`${alias}.${key.get(name)!}`)}`
  })
  return `jsonb_build_object(${members.join(', ')})`
}

/** Orders rows by their keys: column by column, in the order of the columns' names. */
export function keyOrder({ root, key }: Relation, alias: string): string {
  return root.key
    .toSorted((a, b) => (a.name < b.name ? -1 : 1))
    .map(({ name, type }) => {
      return `${alias}.${key.get(name)!}${type === 'text' ? ' collate "C"' : ''}`
    })
    .join(', ')
}
