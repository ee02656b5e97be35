import type { Client } from 'pg'
import { MillraceError } from '../../../src/core/errors.ts'
import { quoteName } from '../session.ts'
import { describeTable, quoteTable, type Table, type TableName } from '../tables.ts'
import type { SlotLife } from './options.ts'

export interface PublicationPlan {
  readonly publication: string
  readonly autocreate: SlotLife['autocreate']
  /** Whether rows of partitions are published as rows of their root. */
  readonly viaRoot: boolean
}

/**
 * Makes the publication, adds the tables that it lacks, or only checks it, as the plan says. It
 * must exist before the slot: decoding looks it up as of the change at hand.
 */
export async function ensurePublication(
  sql: Client,
  plan: PublicationPlan,
  tables: readonly Table[],
): Promise<'created' | 'altered' | 'unchanged'> {
  const { publication, autocreate } = plan
  const found = await findPublication(sql, publication)
  const missing = found === undefined ? tables : await missingTables(sql, found, tables)
  if (found === undefined && autocreate !== 'disabled') {
    await sql.query(createPublication(plan, tables))
    if (autocreate === 'no_tables' && tables.length > 0) throw incomplete(plan, tables)
    return 'created'
  }
  if (found !== undefined && missing.length === 0) return 'unchanged'
  if (autocreate !== 'filtered') throw incomplete(plan, missing, found === undefined)
  await sql.query(addTables(publication, missing))
  return 'altered'
}

/**
 * A table that is not published any more has changed without a word in the WAL that we read; so has
 * every table if the publication is gone, for which servers before 18 stop and later ones do not.
 */
export async function checkPublication(
  sql: Client,
  publication: string,
  tables: readonly TableName[],
): Promise<void> {
  const found = await findPublication(sql, publication)
  const missing = found === undefined ? tables : await missingTables(sql, found, tables)
  if (found !== undefined && missing.length === 0) return
  const what =
    found === undefined
      ? `The publication ${publication} does not exist any more`
      : `The publication ${publication} lacks ${missing.map(describeTable).join(', ')}, which it had`
  const message = `${what}: changes made meanwhile were never published.`
  throw new MillraceError('POSITION_GAP', message)
}

export interface Publication {
  readonly name: string
  readonly allTables: boolean
  readonly viaRoot: boolean
  /** The operations that it leaves out. */
  readonly leavesOut: readonly string[]
  readonly isOwned: boolean
}

export async function findPublication(
  sql: Client,
  publication: string,
): Promise<Publication | undefined> {
  const { rows } = await sql.query(
    `SELECT pubname AS name, puballtables AS all_tables, pubviaroot AS via_root,
            pubinsert, pubupdate, pubdelete, pubtruncate,
            pg_has_role(pubowner, 'USAGE') AS owned
       FROM pg_catalog.pg_publication WHERE pubname = $1`,
    [publication],
  )
  const [row] = rows
  if (row === undefined) return undefined
  const leavesOut = ['insert', 'update', 'delete', 'truncate'].filter((name) => !row[`pub${name}`])
  const { name, all_tables, via_root, owned } = row
  return { name, allTables: all_tables, viaRoot: via_root, leavesOut, isOwned: owned }
}

/** Those of the tables that a publication does not publish. */
export async function missingTables<T extends TableName>(
  sql: Client,
  { name, allTables }: Publication,
  tables: readonly T[],
): Promise<T[]> {
  if (allTables) return []
  const { rows } = await sql.query<TableName>(
    `SELECT schemaname AS namespace, tablename AS name
       FROM pg_catalog.pg_publication_tables WHERE pubname = $1`,
    [name],
  )
  const published = new Set(rows.map(describeTable))
  return tables.filter((table) => !published.has(describeTable(table)))
}

/** The SQL that makes the publication. */
export function createPublication(plan: PublicationPlan, tables: readonly TableName[]): string {
  const { publication, autocreate, viaRoot } = plan
  const what =
    autocreate === 'all_tables'
      ? ' FOR ALL TABLES'
      : autocreate === 'no_tables' || tables.length === 0
        ? ''
        : ` FOR TABLE ${tables.map(quoteTable).join(', ')}`
  const options = `publish_via_partition_root = ${viaRoot}`
  return `CREATE PUBLICATION ${quoteName(publication)}${what} WITH (${options})`
}

/** The SQL that adds tables to the publication. */
export function addTables(publication: string, tables: readonly TableName[]): string {
  return `ALTER PUBLICATION ${quoteName(publication)} ADD TABLE ${tables.map(quoteTable).join(', ')}`
}

function incomplete(
  plan: PublicationPlan,
  missing: readonly TableName[],
  isNew = false,
): MillraceError {
  const { publication, autocreate } = plan
  const what = isNew ? 'does not exist' : `lacks ${missing.map(describeTable).join(', ')}`
  const sql = isNew
    ? createPublication({ ...plan, autocreate: 'filtered' }, missing)
    : addTables(publication, missing)
  const message =
    `The publication ${publication} ${what}, and publication.autocreate.mode is ${autocreate}. ` +
    `Run: ${sql}`
  return new MillraceError('TARGET_MISCONFIGURED', message)
}
