import type { Client } from 'pg'
import { MillraceError } from '../../src/core/errors.ts'
import type { Selects } from './selection.ts'
import { quoteName } from './session.ts'
import type { RelationMessage } from './wal/pgoutput.ts'

/** A table by its two names. */
export interface TableName {
  readonly namespace: string
  readonly name: string
}

export interface Table extends TableName {
  readonly oid: number
}

export function describeTable({ namespace, name }: TableName): string {
  return `${namespace}.${name}`
}

export function quoteTable({ namespace, name }: TableName): string {
  return `${quoteName(namespace)}.${quoteName(name)}`
}

/** Which tables to read. */
export interface TableSelection {
  readonly selectsTable: Selects
  /** Names that must exist. */
  readonly tables: readonly string[]
  /** Whether partitions are read through their root, or each by itself. */
  readonly viaRoot: boolean
}

/** The tables that are selected. Throws `TABLE_MISSING` if one that is named does not exist. */
export async function findTables(sql: Client, selection: TableSelection): Promise<Table[]> {
  const { selectsTable, tables, viaRoot } = selection
  const { rows } = await sql.query<{ oid: number; namespace: string; name: string }>(
    `SELECT c.oid::int8::float8 AS oid, n.nspname AS namespace, c.relname AS name
       FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
      WHERE CASE WHEN $1 THEN c.relkind IN ('r', 'p') AND NOT c.relispartition
                 ELSE c.relkind = 'r' END
        AND c.relpersistence = 'p' AND n.nspname NOT IN ('pg_catalog', 'information_schema')
      ORDER BY 2, 3`,
    [viaRoot],
  )
  const names = new Set(rows.map(describeTable))
  const missing = tables.filter((name) => !names.has(name))
  if (missing.length > 0) {
    const message = `The database has no table ${missing.join(', ')}.`
    throw new MillraceError('TABLE_MISSING', message)
  }
  return rows.filter((table) => selectsTable(describeTable(table)))
}

/** The table of a name `schema.table`. */
export async function findTable(sql: Client, name: string): Promise<Table | undefined> {
  const { rows } = await sql.query<Table>(
    `SELECT c.oid::int8::float8 AS oid, n.nspname AS namespace, c.relname AS name
       FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
      WHERE n.nspname || '.' || c.relname = $1 AND c.relkind IN ('r', 'p')`,
    [name],
  )
  return rows[0]
}

/** A table as a Relation message would describe it, for rows that are read by SELECT. */
export async function readRelation(sql: Client, table: Table): Promise<RelationMessage> {
  const { rows: identity } = await sql.query<{ identity: string }>(
    'SELECT relreplident AS identity FROM pg_catalog.pg_class WHERE oid = $1',
    [table.oid],
  )
  const { rows } = await sql.query<{
    name: string
    type_oid: number
    typmod: number
    identity: boolean
  }>(
    `SELECT a.attname AS name, a.atttypid::int8::float8 AS type_oid, a.atttypmod AS typmod,
            c.relreplident = 'f' OR coalesce(a.attnum = ANY (i.indkey), false) AS identity
       FROM pg_catalog.pg_attribute a
       JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
       LEFT JOIN pg_catalog.pg_index i ON i.indrelid = c.oid
        AND ((c.relreplident = 'd' AND i.indisprimary) OR (c.relreplident = 'i' AND i.indisreplident))
      WHERE a.attrelid = $1 AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
      ORDER BY a.attnum`,
    [table.oid],
  )
  return {
    ...{ oid: table.oid, namespace: table.namespace, name: table.name },
    identity: identity[0]!.identity,
    columns: rows.map(({ name, type_oid, typmod, identity }) => ({
      ...{ name, identity, typeOid: type_oid, typmod },
    })),
  }
}

/** Names of the primary key's columns in their order; empty if there is none. */
export async function primaryKey(sql: Client, oid: number): Promise<string[]> {
  const { rows } = await sql.query<{ name: string }>(
    `SELECT a.attname AS name
       FROM pg_catalog.pg_index i
       CROSS JOIN LATERAL unnest(i.indkey::int2[]) WITH ORDINALITY AS k (attnum, place)
       JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
      WHERE i.indrelid = $1 AND i.indisprimary
      ORDER BY k.place`,
    [oid],
  )
  return rows.map(({ name }) => name)
}

/** Names of the columns of the first unique index that has a value in every row; else empty. */
export async function uniqueKey(sql: Client, oid: number, nullable: boolean): Promise<string[]> {
  const { rows } = await sql.query<{ names: string[] }>(
    `SELECT array_agg(a.attname::text ORDER BY k.place) AS names
       FROM pg_catalog.pg_index i
       CROSS JOIN LATERAL unnest(i.indkey::int2[]) WITH ORDINALITY AS k (attnum, place)
       LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
      WHERE i.indrelid = $1 AND i.indisunique AND i.indpred IS NULL AND k.place <= i.indnkeyatts
      GROUP BY i.indexrelid
     HAVING bool_and(k.attnum > 0) AND ($2 OR bool_and(a.attnotnull))
      ORDER BY i.indexrelid LIMIT 1`,
    [oid, nullable],
  )
  return rows[0]?.names ?? []
}
