import type { Client } from 'pg'
import { kindOf, MillraceError } from '../../../src/core/errors.ts'
import type { PostgresPosition, TableLeft } from '../position.ts'
import { quoteName } from '../session.ts'
import { describeTable, quoteTable, type Table } from '../tables.ts'
import { wholeRange } from './chunk-range.ts'
import { parseVisibility } from './chunk-xids.ts'
import { newRun, type TableRun } from './incremental-state.ts'

/** A snapshot that was cut off: what is left of it is read while the stream goes on. */
export function continueSnapshot(position: PostgresPosition): PostgresPosition {
  const { snapshot } = position
  if (snapshot?.phase !== 'running') return position
  const { from, again } = snapshot
  const all = position.tables.map(
    (table): TableLeft => ({ table, ranges: [wholeRange], restart: true }),
  )
  const runs = (snapshot.left ?? all).map(({ table, ranges, key, restart = false }) =>
    newRun(table, restart && !again ? { sweep: true } : { ranges, key, sweep: again, from }),
  )
  // Tables that were copied to their end still have to be swept, where there was a snapshot before.
  const left = new Set(runs.map(({ table }) => table))
  const copied = again ? position.tables.filter((table) => !left.has(table)) : []
  const sweeps = copied.map((table) => newRun(table, { ranges: [{ keys: [] }], from }))
  return addRuns({ ...position, snapshot: undefined }, [...runs, ...sweeps])
}

/** Begins anew with a slot of its own; afterwards what went meanwhile is swept. */
export function snapshotAgain(
  position: PostgresPosition,
  server: { readonly systemId: string; readonly timeline: number },
  tables: readonly Table[],
): PostgresPosition {
  return {
    ...position,
    ...{ systemId: server.systemId, timeline: server.timeline },
    tables: tables.map(describeTable),
    ...{ commit: 0n, ordinal: 0, held: [], commitEnd: 0n, idle: undefined },
    ...{ only: undefined, incremental: undefined, published: undefined },
    snapshot: { phase: 'intent', from: 0n, again: true },
  }
}

/** Whether changes were missed in a way that a new snapshot makes good. */
export function isGap(error: unknown): error is MillraceError {
  if (!(error instanceof MillraceError) || kindOf(error) !== 'fatal') return false
  return ['SLOT_LOST', 'POSITION_GAP', 'SERVER_ROLLED_BACK'].includes(error.code)
}

export function addRuns(position: PostgresPosition, runs: readonly TableRun[]): PostgresPosition {
  const { runs: before = [], paused = false, xids = [] } = position.incremental ?? {}
  const names = new Set(runs.map(({ table }) => table))
  const all = [...before.filter(({ table }) => !names.has(table)), ...runs]
  return { ...position, incremental: all.length === 0 ? undefined : { runs: all, paused, xids } }
}

/** Tables that came into the configuration are read; those that left it are forgotten. */
export async function followTables(
  sql: Client,
  position: PostgresPosition,
  tables: readonly Table[],
  { reads }: { readonly reads: boolean },
): Promise<PostgresPosition> {
  const names = tables.map(describeTable)
  const added = names.filter((name) => !position.tables.includes(name))
  const removed = position.tables.filter((name) => !names.includes(name))
  if (added.length === 0 && removed.length === 0) return position
  const kept = position.incremental?.runs.filter(({ table }) => names.includes(table)) ?? []
  const incremental = position.incremental && { ...position.incremental, runs: kept }
  // Transactions of this moment may have written to a table before it was published.
  const behind = added.length === 0 || !reads ? [] : await runningNow(sql)
  const { former = [], unread = [] } = position
  const runs = added.map((table) => newRun(table, { behind, sweep: former.includes(table) }))
  const followed = {
    ...{ ...position, tables: names, incremental },
    former: [...former.filter((name) => !added.includes(name)), ...removed],
    unread: [...unread, ...(reads ? [] : added)],
  }
  return addRuns(followed, reads ? runs : [])
}

async function runningNow(sql: Client): Promise<bigint[]> {
  const { rows } = await sql.query('SELECT pg_current_snapshot()::text AS seen')
  return [...parseVisibility(rows[0].seen).running]
}

/** Takes tables out of a publication, where they are in it by name. */
export async function unpublish(
  sql: Client,
  publication: string,
  names: readonly string[],
): Promise<void> {
  const { rows } = await sql.query<{ namespace: string; name: string }>(
    `SELECT n.nspname AS namespace, c.relname AS name
       FROM pg_catalog.pg_publication_rel r
       JOIN pg_catalog.pg_publication p ON p.oid = r.prpubid
       JOIN pg_catalog.pg_class c ON c.oid = r.prrelid
       JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
      WHERE p.pubname = $1 AND n.nspname || '.' || c.relname = ANY ($2)`,
    [publication, names],
  )
  if (rows.length === 0) return
  const list = rows.map(quoteTable).join(', ')
  await sql.query(`ALTER PUBLICATION ${quoteName(publication)} DROP TABLE ${list}`)
}

/**
 * Where the ids of transactions are, and which the stream may have shown before anybody saw them.
 */
export async function readHorizon(sql: Client) {
  const { rows } = await sql.query(
    `SELECT pg_current_snapshot()::text AS seen,
            current_setting('synchronous_standby_names') <> '' AS waits`,
  )
  const { xmax, running } = parseVisibility(rows[0].seen)
  return { near: xmax, xids: rows[0].waits ? [...running] : [] }
}
