import type { Client } from 'pg'
import { MillraceError } from '../../src/core/errors.ts'
import type { ResolvedOptions } from './options.ts'
import type { PostgresPosition } from './position.ts'
import { adopt, adoptUpgraded, type Connected, refuseTaken, resume } from './slot/life.ts'
import { ensurePublication } from './slot/publication.ts'
import { newRun } from './snapshot/incremental-state.ts'
import {
  addRuns,
  continueSnapshot,
  followTables,
  isGap,
  snapshotAgain,
  unpublish,
} from './snapshot/plan.ts'
import { describeTable, findTable, type Table } from './tables.ts'

/** A start of the connector: the first of its process, or one after a failure. */
export interface Starting extends Connected {
  /** With `snapshot.mode: always`: this process has not yet begun its snapshot. */
  readonly isFirst: boolean
  /** Met while streaming, and to be made good by a new snapshot. */
  readonly gap?: MillraceError | undefined
}

/**
 * Where a connector without a position begins. It is recorded before the slot is made, so that a
 * crash in between leaves no slot unaccounted for.
 */
export async function begin(
  connected: Connected,
  tables: readonly Table[],
): Promise<PostgresPosition> {
  const { server, options, sql } = connected
  if (options.life.adopt) return adopt(connected, tables)
  if (options.snapshots.mode !== 'initial_only') await refuseTaken(sql, options.slot)
  const { systemId, timeline } = server
  return {
    ...{ systemId, timeline, slot: options.slot, tables: tables.map(describeTable) },
    ...{ commit: 0n, ordinal: 0, held: [], commitEnd: 0n, lastVersion: 0n },
    snapshot: { phase: 'intent', from: 0n, again: false },
  }
}

/** What to do first: a snapshot, or the stream, with what is left of snapshots in the position. */
export async function planStart(
  starting: Starting,
  position: PostgresPosition,
  tables: readonly Table[],
): Promise<PostgresPosition> {
  const { server, options, say, gap } = starting
  const { mode } = options.snapshots
  if (position.snapshot?.phase === 'intent')
    return { ...position, tables: tables.map(describeTable) }
  const isPartial = position.snapshot !== undefined
  const again = () => snapshotAgain(position, server, tables)
  if (position.only || mode === 'initial_only') return again()
  try {
    if (gap !== undefined) throw gap
    const isUpgraded =
      position.systemId !== server.systemId && options.life.adoptSystem === server.systemId
    const before = isUpgraded ? await adoptUpgraded(starting, position) : position
    const resumed = await resume(starting, continueSnapshot(before), tables)
    return await follow(starting, resumed, tables)
  } catch (error) {
    // A snapshot that is not complete is nothing that a person would have to decide on.
    if (!isGap(error) || (mode !== 'when_needed' && !isPartial)) throw error
    say(`${error.message} A new snapshot is taken.`)
    return again()
  }
}

/** The tables that are read, and that of the signals. */
export async function publishedTables(
  sql: Client,
  tables: readonly Table[],
  { snapshots: { signalTable } }: ResolvedOptions,
): Promise<readonly Table[]> {
  if (signalTable === undefined) return tables
  if (tables.some((table) => describeTable(table) === signalTable)) return tables
  const table = await findTable(sql, signalTable)
  if (table !== undefined) return [...tables, table]
  throw new MillraceError('TABLE_MISSING', `The database has no table ${signalTable}.`)
}

/** Tables that the configuration gained or lost since the position was written. */
async function follow(
  { sql, options, isFirst }: Starting,
  position: PostgresPosition,
  tables: readonly Table[],
): Promise<PostgresPosition> {
  const { publication, slot, snapshots, life, viaRoot } = options
  const names = tables.map(describeTable)
  const isNew = names.some((name) => !position.tables.includes(name))
  if (isNew || snapshots.signalTable !== undefined) {
    const publishing = { publication, viaRoot, autocreate: life.autocreate }
    await ensurePublication(sql, publishing, await publishedTables(sql, tables, options))
  }
  const removed = position.tables.filter((name) => !names.includes(name))
  if (removed.length > 0 && publication === slot && life.autocreate === 'filtered') {
    const unread = removed.filter((name) => name !== snapshots.signalTable)
    await unpublish(sql, publication, unread)
  }
  const { mode } = snapshots
  const followed = await followTables(sql, position, tables, { reads: mode !== 'no_data' })
  if (mode !== 'always' || !isFirst || followed.incremental) return followed
  return addRuns(
    followed,
    names.map((name) => newRun(name)),
  )
}
