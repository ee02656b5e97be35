import type { Client } from 'pg'
import { MillraceError } from '../../../src/core/errors.ts'
import { describeTable, type Table } from '../tables.ts'

/**
 * A publication, and what makes tables part of it, by OID: made again, each has another. A table
 * that is published with all others, or with its schema, has no membership of its own.
 */
export interface Published {
  readonly publication: string
  /** By `schema.table`. */
  readonly members: Readonly<Record<string, string>>
}

/** What of the tables is published now; `undefined`: there is no such publication. */
export async function readPublished(
  sql: Client,
  publication: string,
  tables: readonly Table[],
): Promise<Published | undefined> {
  const { rows } = await sql.query<{ oid: string; table: number | null; member: string }>(
    `SELECT p.oid::text AS oid, r.prrelid::int8::float8 AS table, r.oid::text AS member
       FROM pg_catalog.pg_publication p
       LEFT JOIN pg_catalog.pg_publication_rel r
         ON r.prpubid = p.oid AND r.prrelid = ANY ($2::oid[])
      WHERE p.pubname = $1`,
    [publication, tables.map(({ oid }) => oid)],
  )
  const [first] = rows
  if (first === undefined) return undefined
  const members = tables.flatMap((table) => {
    const row = rows.find((row) => row.table === table.oid)
    return row === undefined ? [] : [[describeTable(table), row.member] as const]
  })
  return { publication: first.oid, members: Object.fromEntries(members) }
}

/** Whether something that was published before went, be it back by now or not. */
export function hasLost(before: Published, now: Published | undefined): boolean {
  if (now?.publication !== before.publication) return true
  return Object.entries(before.members).some(([table, oid]) => now.members[table] !== oid)
}

/** What was published all the time; what came in addition is known from now on. */
export function joinPublished(
  before: Published | undefined,
  now: Published | undefined,
  tables: readonly Table[],
): Published | undefined {
  if (before === undefined || now === undefined) return before ?? now
  const members = { ...now.members, ...before.members }
  const read = new Set(tables.map(describeTable))
  const left = Object.entries(members).filter(([table]) => read.has(table))
  return { publication: before.publication, members: Object.fromEntries(left) }
}

/**
 * Notices that the publication, or one of our tables in it, is dropped while changes are streamed.
 * PostgreSQL 18 goes on without a word then, and what is changed meanwhile is never sent.
 */
export class PublicationWatch {
  readonly #publication: string
  readonly #tables: readonly Table[]
  readonly #before: Published | undefined
  #isLost = false

  constructor(publication: string, tables: readonly Table[], before: Published | undefined) {
    this.#publication = publication
    this.#tables = tables
    this.#before = before
  }

  /** Compares with what was there before. What comes in addition is no loss. */
  async look(sql: Client): Promise<void> {
    const now = await readPublished(sql, this.#publication, this.#tables)
    if (this.#before !== undefined && hasLost(this.#before, now)) this.#isLost = true
  }

  /** Throws once something was lost. */
  refuseLoss(): void {
    if (!this.#isLost) return
    throw lostPublication(this.#publication, 'while changes were streamed')
  }
}

export function lostPublication(publication: string, when: string): MillraceError {
  const message =
    `The publication ${publication}, or a table in it, was dropped ${when}: changes made until it ` +
    'was made again were never sent.'
  return new MillraceError('POSITION_GAP', message)
}
