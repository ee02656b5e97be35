import type { Client } from 'pg'
import { MillraceError } from '../../../src/core/errors.ts'
import type { Table } from '../tables.ts'

/** The publication and what makes our tables part of it, by OID: made again, each has another. */
interface Membership {
  readonly publication: string
  readonly members: readonly string[]
}

/**
 * Notices that the publication, or one of our tables in it, is dropped while changes are streamed.
 * PostgreSQL 18 goes on without a word then, and what is changed meanwhile is never sent.
 */
export class PublicationWatch {
  readonly #publication: string
  readonly #tables: readonly number[]
  #first: Membership | undefined
  #isLost = false

  constructor(publication: string, tables: readonly Table[]) {
    this.#publication = publication
    this.#tables = tables.map(({ oid }) => oid)
  }

  /** Compares with the first look. What comes in addition is no loss. */
  async look(sql: Client): Promise<void> {
    const { rows } = await sql.query<Membership>(
      `SELECT p.oid::text AS publication,
              coalesce(array_agg(r.oid::text) FILTER (WHERE r.oid IS NOT NULL), '{}') AS members
         FROM pg_catalog.pg_publication p
         LEFT JOIN pg_catalog.pg_publication_rel r
           ON r.prpubid = p.oid AND r.prrelid = ANY ($2::oid[])
        WHERE p.pubname = $1 GROUP BY p.oid`,
      [this.#publication, this.#tables],
    )
    const [now] = rows
    this.#first ??= now
    const { publication, members = [] } = this.#first ?? {}
    const kept = new Set(now?.members)
    if (now?.publication !== publication || members.some((oid) => !kept.has(oid))) {
      this.#isLost = true
    }
  }

  /** Throws once something was lost. */
  refuseLoss(): void {
    if (!this.#isLost) return
    const message =
      `The publication ${this.#publication}, or a table in it, was dropped while changes were ` +
      'streamed: those made meanwhile were never sent.'
    throw new MillraceError('POSITION_GAP', message)
  }
}
