import type { Client } from 'pg'
import { quoteName } from '../session.ts'
import { quoteTable, readRelation, type Table } from '../tables.ts'
import type { RelationMessage } from '../wal/pgoutput.ts'
import type { Relation } from '../wal/relation.ts'
import type { Relations } from '../wal/relations.ts'
import type { Statement } from './chunk-connection.ts'
import { type ChunkRange, conditionOf, orderOf, type PagingKey } from './chunk-range.ts'

/** A table as snapshots read it. */
export interface ChunkTable {
  readonly table: Table
  readonly relation: Relation
  /** Empty: the table has no key to be read by. */
  readonly key: PagingKey
  /** Of the name, for a FROM or a LOCK: without the tables that inherit from it. */
  readonly from: string
  readonly columns: readonly string[]
  /** What the publication leaves out of the stream is left out of snapshots, too. */
  readonly filter: string | null
  /** As the server estimates them. */
  readonly rows: number
  readonly pages: number
  readonly isPartitioned: boolean
}

export interface Describing {
  readonly sql: Client
  readonly relations: Relations
  readonly publication: string
}

/** Looks a table up in the catalog as it is now; whoever reads it holds a lock on it. */
export async function describeChunks(
  { sql, relations, publication }: Describing,
  table: Table,
): Promise<ChunkTable> {
  const published = await readPublished(sql, publication, table)
  const whole = await readRelation(sql, table)
  const names = published.columns
  const message: RelationMessage =
    names === null
      ? whole
      : { ...whole, columns: whole.columns.filter(({ name }) => names.includes(name)) }
  const relation = await relations.define(message)
  const size = await readSize(sql, table.oid)
  const read = new Set([...relation.columns, ...relation.key].map(({ source }) => source))
  const name = quoteTable(table)
  return {
    ...{ table, relation, filter: published.filter, ...size },
    key: await readPagingKey(sql, table.oid),
    from: size.isPartitioned ? name : `ONLY ${name}`,
    columns: message.columns.map(({ name }) => (read.has(name) ? quoteName(name) : 'NULL')),
  }
}

/**
 * Reads a range: the columns in the order of the relation's slots, and behind them those of the
 * key. With `limit`, in the order of the key.
 */
export function selectChunk(
  { columns, key, from, filter }: ChunkTable,
  range: ChunkRange,
  { where, limit }: { readonly where?: string | undefined; readonly limit?: number } = {},
): Statement {
  const { sql, values } = conditionOf(range, key)
  const conditions = [sql, filter, where].filter((one) => one).map((one) => `(${one})`)
  const list = [...columns, ...key.map(({ name }) => quoteName(name))].join(', ')
  const filtered = conditions.length === 0 ? '' : ` WHERE ${conditions.join(' AND ')}`
  const isOrdered = limit !== undefined && key.length > 0
  const ordered = isOrdered ? ` ORDER BY ${orderOf(key)} LIMIT ${limit}` : ''
  return { sql: `SELECT ${list} FROM ${from}${filtered}${ordered}`, values }
}

/** The primary key, or the index that is the replica identity. */
async function readPagingKey(sql: Client, oid: number): Promise<PagingKey> {
  const { rows } = await sql.query<{ index: string; name: string; type: string }>(
    `SELECT i.indexrelid::text AS index, a.attname AS name, format_type(a.atttypid, -1) AS type
       FROM pg_catalog.pg_index i
       CROSS JOIN LATERAL unnest(i.indkey::int2[]) WITH ORDINALITY AS k (attnum, place)
       JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
      WHERE i.indrelid = $1 AND (i.indisprimary OR i.indisreplident) AND k.place <= i.indnkeyatts
      ORDER BY i.indisprimary DESC, k.place`,
    [oid],
  )
  return rows
    .filter(({ index }) => index === rows[0]?.index)
    .map(({ name, type }) => ({ name, type }))
}

async function readSize(sql: Client, oid: number) {
  const { rows } = await sql.query<{ rows: number; pages: number; partitioned: boolean }>(
    `SELECT sum(greatest(p.reltuples, 0))::float8 AS rows,
            sum(coalesce(pg_relation_size(p.oid), 0))::float8 / 8192 AS pages,
            bool_or(p.relkind = 'p') AS partitioned
       FROM pg_catalog.pg_class p
      WHERE p.oid = $1 OR p.oid IN (SELECT relid FROM pg_partition_tree($1::oid::regclass))`,
    [oid],
  )
  const { rows: count = 0, pages = 0, partitioned = false } = rows[0] ?? {}
  return { rows: count, pages: Math.ceil(pages), isPartitioned: partitioned }
}

/** The columns and the row filter that a publication has for a table, from PostgreSQL 15 on. */
async function readPublished(
  sql: Client,
  publication: string,
  { namespace, name }: Table,
): Promise<{ readonly columns: readonly string[] | null; readonly filter: string | null }> {
  const { rows } = await sql.query(
    `SELECT to_jsonb(p) -> 'attnames' AS columns, to_jsonb(p) ->> 'rowfilter' AS filter
       FROM pg_catalog.pg_publication_tables p
      WHERE p.pubname = $1 AND p.schemaname = $2 AND p.tablename = $3`,
    [publication, namespace, name],
  )
  return { columns: rows[0]?.columns ?? null, filter: rows[0]?.filter ?? null }
}
