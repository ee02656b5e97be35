import type { Client } from 'pg'
import { quoteName } from './session.ts'
import { describeTable, quoteTable, type Table } from './tables.ts'

/**
 * Makes the publication, or adds the tables that it lacks. It must exist before the slot: decoding
 * looks it up as of the change at hand.
 */
export async function ensurePublication(
  sql: Client,
  publication: string,
  tables: readonly Table[],
): Promise<'created' | 'altered' | 'unchanged'> {
  const name = quoteName(publication)
  const { rows } = await sql.query<{ all_tables: boolean }>(
    'SELECT puballtables AS all_tables FROM pg_catalog.pg_publication WHERE pubname = $1',
    [publication],
  )
  if (rows.length === 0) {
    const list = tables.map(quoteTable).join(', ')
    await sql.query(
      `CREATE PUBLICATION ${name} FOR TABLE ${list} WITH (publish_via_partition_root = true)`,
    )
    return 'created'
  }
  const missing = rows[0]!.all_tables ? [] : await missingTables(sql, publication, tables)
  if (missing.length === 0) return 'unchanged'
  await sql.query(`ALTER PUBLICATION ${name} ADD TABLE ${missing.map(quoteTable).join(', ')}`)
  return 'altered'
}

async function missingTables(
  sql: Client,
  publication: string,
  tables: readonly Table[],
): Promise<Table[]> {
  const { rows } = await sql.query<{ namespace: string; name: string }>(
    `SELECT schemaname AS namespace, tablename AS name
       FROM pg_catalog.pg_publication_tables WHERE pubname = $1`,
    [publication],
  )
  const published = new Set(rows.map(describeTable))
  return tables.filter((table) => !published.has(describeTable(table)))
}
