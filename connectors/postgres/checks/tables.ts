import type { Client } from 'pg'
import type { Finding } from '../../../src/core/plugin.ts'
import { quoteName } from '../session.ts'
import { describeTable, quoteTable, type Table, type TableName } from '../tables.ts'
import { error, ok, warning } from './finding.ts'

/** What matters of a table, as the catalog has it. */
export interface TableFacts extends TableName {
  readonly kind: string
  /** Replica identity: d(efault), i(ndex), f(ull) or n(othing). */
  readonly identity: string
  /** Columns of the primary key, in its order. */
  readonly key: readonly string[]
  /** A deferrable key identifies nothing. */
  readonly isKeyImmediate: boolean
  /** Columns of the index that is the replica identity, if one is. */
  readonly identityColumns: readonly string[]
  /** An index that could be the replica identity. */
  readonly candidate: string | null
  readonly generated: readonly string[]
  readonly partitions: number
  /** Partitions whose rows cannot be identified. */
  readonly bareLeaves: readonly string[]
  /** Row-level security would hide rows from us. */
  readonly isFiltered: boolean
  readonly hasUsage: boolean
  readonly maySelect: boolean
  readonly isOwned: boolean
}

const columnsOf = (index: string) =>
  `SELECT array_agg(a.attname::text ORDER BY k.place)
     FROM unnest(${index}.indkey::int2[]) WITH ORDINALITY AS k (attnum, place)
     JOIN pg_catalog.pg_attribute a ON a.attrelid = ${index}.indrelid AND a.attnum = k.attnum`

/** An index that identifies every row: unique, at once, of columns that are never null. */
const identifies = `u.indisunique AND u.indimmediate AND u.indisvalid AND u.indpred IS NULL
  AND u.indexprs IS NULL AND NOT EXISTS (
    SELECT FROM pg_catalog.pg_attribute a
     WHERE a.attrelid = u.indrelid AND a.attnum = ANY (u.indkey::int2[]) AND NOT a.attnotnull)`

const question = `
  SELECT n.nspname AS namespace, c.relname AS name, c.relkind AS kind, c.relreplident AS identity,
         coalesce((${columnsOf('p')}), '{}') AS key,
         coalesce(p.indimmediate, false) AS "isKeyImmediate",
         coalesce((${columnsOf('r')}), '{}') AS "identityColumns",
         (SELECT x.relname::text FROM pg_catalog.pg_index u
            JOIN pg_catalog.pg_class x ON x.oid = u.indexrelid
           WHERE u.indrelid = c.oid AND ${identifies} ORDER BY u.indexrelid LIMIT 1) AS candidate,
         coalesce((SELECT array_agg(a.attname::text ORDER BY a.attnum)
            FROM pg_catalog.pg_attribute a
           WHERE a.attrelid = c.oid AND a.attgenerated <> '' AND NOT a.attisdropped), '{}')
           AS generated,
         (SELECT count(*)::int FROM pg_partition_tree(c.oid) t WHERE t.isleaf AND c.relkind = 'p')
           AS partitions,
         coalesce((SELECT array_agg(t.relid::text ORDER BY 1) FROM pg_partition_tree(c.oid) t
            JOIN pg_catalog.pg_class l ON l.oid = t.relid
           WHERE c.relkind = 'p' AND t.isleaf AND (l.relreplident = 'n' OR (l.relreplident = 'd'
             AND NOT EXISTS (SELECT FROM pg_catalog.pg_index u
                              WHERE u.indrelid = l.oid AND u.indisprimary)))), '{}')
           AS "bareLeaves",
         row_security_active(c.oid) AS "isFiltered",
         has_schema_privilege(n.oid, 'USAGE') AS "hasUsage",
         has_table_privilege(c.oid, 'SELECT') OR (
           SELECT bool_and(has_column_privilege(c.oid, a.attnum, 'SELECT'))
             FROM pg_catalog.pg_attribute a
            WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped) AS "maySelect",
         pg_has_role(c.relowner, 'USAGE') AS "isOwned"
    FROM pg_catalog.pg_class c
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    LEFT JOIN pg_catalog.pg_index p ON p.indrelid = c.oid AND p.indisprimary
    LEFT JOIN pg_catalog.pg_index r ON r.indrelid = c.oid AND r.indisreplident
   WHERE c.oid = ANY ($1::oid[])
   ORDER BY 1, 2`

export async function readTableFacts(
  sql: Client,
  tables: readonly Table[],
): Promise<readonly TableFacts[]> {
  const { rows } = await sql.query<TableFacts>(question, [tables.map(({ oid }) => oid)])
  return rows
}

/** What is to be said of a table; `ok` if it is nothing else. */
export function judgeTable(table: TableFacts, role: string): readonly Finding[] {
  const found = [
    ...judgeRights(table, role),
    ...judgeIdentity(table),
    ...judgePartitions(table),
    ...judgeGenerated(table),
  ]
  return found.length > 0 ? found : [ok(`${describeTable(table)} ${describeKey(table)}`)]
}

function describeKey({ key, identity, partitions }: TableFacts): string {
  const full = identity === 'f' ? ', replica identity FULL' : ''
  const parts = partitions > 0 ? `, ${partitions} partitions` : ''
  return `has the primary key (${key.join(', ')})${full}${parts}`
}

function* judgeRights(table: TableFacts, role: string): Generator<Finding> {
  const name = describeTable(table)
  const { hasUsage, maySelect, isFiltered, namespace } = table
  const grantee = quoteName(role)
  if (!hasUsage) {
    const repair = [`GRANT USAGE ON SCHEMA ${quoteName(namespace)} TO ${grantee};`]
    yield error(`${name}: the role ${role} may not use the schema ${namespace}`, { repair })
  }
  if (!maySelect) {
    const repair = [`GRANT SELECT ON TABLE ${quoteTable(table)} TO ${grantee};`]
    yield error(`${name}: the role ${role} may not read it, so no snapshot can`, { repair })
  }
  if (isFiltered) {
    const repair = [`ALTER ROLE ${grantee} BYPASSRLS;`]
    const what = `${name}: row-level security would hide rows from the snapshot, not from the stream`
    yield error(what, { repair })
  }
}

function* judgeIdentity(table: TableFacts): Generator<Finding> {
  const { identity, key, isKeyImmediate, identityColumns, kind } = table
  const name = describeTable(table)
  if (kind === 'p') return // The identity that counts is that of the partitions.
  const fails = 'once it is published, every UPDATE and DELETE on it fails'
  if (identity === 'n') {
    yield error(`${name} has REPLICA IDENTITY NOTHING: ${fails}`, identify(table))
  } else if (identity === 'd' && key.length === 0) {
    yield error(`${name} has no primary key and no replica identity: ${fails}`, identify(table))
  } else if (identity === 'd' && !isKeyImmediate) {
    yield error(`${name} has a deferrable primary key, which identifies nothing: ${fails}`, {
      ...identify(table),
    })
  } else if (identity === 'i') {
    const lacks = key.filter((column) => !identityColumns.includes(column))
    if (lacks.length > 0) {
      const what = `${name}: its replica identity lacks ${lacks.join(', ')} of the key, so a delete does not say which key is gone`
      yield warning(what, { repair: [`${alter(table)} REPLICA IDENTITY DEFAULT;`] })
    }
  } else if (identity === 'f' && key.length === 0) {
    const hint = 'Add a primary key, or name the columns with message.key.columns.'
    yield warning(`${name} has no key: its records have none, and no view can read it`, { hint })
  }
  if (identity === 'f' && key.length > 0) {
    const hint = 'Each UPDATE and DELETE writes the whole old row to the WAL.'
    yield ok(`${name} ${describeKey(table)}`, hint)
  }
}

/** The cheapest identity that a table can have. */
function identify(table: TableFacts): { hint: string; repair: readonly string[] } {
  const { key, isKeyImmediate, candidate } = table
  const hint = 'A primary key is better than each of the others.'
  const by =
    key.length > 0 && isKeyImmediate
      ? 'DEFAULT'
      : candidate !== null
        ? `USING INDEX ${quoteName(candidate)}`
        : 'FULL'
  return { hint, repair: [`${alter(table)} REPLICA IDENTITY ${by};`] }
}

function* judgePartitions(table: TableFacts): Generator<Finding> {
  const { bareLeaves, kind, key } = table
  if (kind !== 'p') return
  const name = describeTable(table)
  if (bareLeaves.length > 0) {
    const what = `${name}: UPDATE and DELETE fail on partitions without a replica identity: ${bareLeaves.join(', ')}`
    // The server has quoted the names already, as a regclass prints them.
    const repair = bareLeaves.map((leaf) => `ALTER TABLE ${leaf} REPLICA IDENTITY FULL;`)
    yield error(what, { hint: 'Better: add a primary key to the partitioned table.', repair })
  } else if (key.length === 0) {
    yield warning(`${name} has no primary key: its records have none, and no view can read it`)
  }
}

function* judgeGenerated(table: TableFacts): Generator<Finding> {
  if (table.generated.length === 0) return
  const what = `${describeTable(table)}: generated columns are not in the records: ${table.generated.join(', ')}`
  yield warning(what, { hint: 'The WAL holds them only from PostgreSQL 18 on, if published.' })
}

function alter(table: TableName): string {
  return `ALTER TABLE ${quoteTable(table)}`
}
