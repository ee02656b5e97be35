import type { Position } from '../../src/core/source.ts'
import type { Published } from './slot/publication-watch.ts'
import type { ChunkRange } from './snapshot/chunk-range.ts'
import {
  decodeIncremental,
  encodeIncremental,
  type IncrementalState,
} from './snapshot/incremental-state.ts'
import { formatLsn, type Lsn, parseLsn } from './wal/lsn.ts'

/**
 * How far the connector has come in a database. As text it is JSON with these members:
 *
 *   v           1
 *   systemId, timeline, slot   which history, and through what it is read
 *   tables      what was snapshotted, as `schema.table`
 *   commit      LSN of the last commit of which records went out, as BEGIN names it
 *   ordinal     changes of that commit that went out, counted as the server sent them
 * held ordinals below `ordinal` that did not go out yet (each topic's last record waits for
 *               COMMIT, to bear the end mark)
 * commitEnd end LSN of the last whole commit: what may be acknowledged. Above `commit`: that one
 *               is whole. Not above: it is under way.
 *   lastVersion the last version given, which no later one may fall below
 *   idle        end of WAL at a moment when nothing was under way
 *   snapshot    while the tables are copied as of the slot's snapshot: `intent` before the slot is
 * made, then `running`; `from` is the first version of this attempt, `again` tells that
 *               an earlier one wrote rows, `left` what is not copied yet of each table
 *   only        the snapshot is all that is wanted, and it is complete
 *   unread      tables of which no snapshot was complete yet: nothing of them is to be swept
 *   former      tables that were read once, and are no more
 *   published   the publication and what makes the tables part of it, as they were all the time
 *   incremental tables that are read while the stream goes on, and what is left of them
 */
export interface PostgresPosition {
  readonly systemId: string
  readonly timeline: number
  readonly slot: string
  readonly tables: readonly string[]
  readonly commit: Lsn
  readonly ordinal: number
  readonly held: readonly number[]
  readonly commitEnd: Lsn
  readonly lastVersion: bigint
  readonly idle?: Lsn | undefined
  readonly snapshot?: SnapshotState | undefined
  readonly only?: boolean | undefined
  readonly unread?: readonly string[] | undefined
  readonly former?: readonly string[] | undefined
  readonly published?: Published | undefined
  readonly incremental?: IncrementalState | undefined
}

export interface SnapshotState {
  readonly phase: 'intent' | 'running'
  readonly from: bigint
  readonly again: boolean
  /** Absent: everything. */
  readonly left?: readonly TableLeft[]
}

export interface TableLeft {
  /** `schema.table`. */
  readonly table: string
  readonly ranges: readonly ChunkRange[]
  /** Names of the columns by which it is read. */
  readonly key?: readonly string[]
  /** What went out of the table goes out again. */
  readonly restart?: boolean
}

export function encodePosition(position: PostgresPosition): Position {
  const { systemId, timeline, slot, tables, commit, ordinal, held, commitEnd } = position
  const { lastVersion, idle, snapshot, only, unread = [], former = [] } = position
  const { incremental, published } = position
  return JSON.stringify({
    ...{ v: 1, systemId, timeline, slot, tables },
    ...{ commit: formatLsn(commit), ordinal, ...(held.length > 0 && { held }) },
    ...{ commitEnd: formatLsn(commitEnd), lastVersion: String(lastVersion) },
    ...(idle !== undefined && { idle: formatLsn(idle) }),
    ...(snapshot && { snapshot: { ...snapshot, from: String(snapshot.from) } }),
    ...(only && { only }),
    ...(unread.length > 0 && { unread }),
    ...(former.length > 0 && { former }),
    ...(published && { published }),
    ...(incremental && { incremental: encodeIncremental(incremental) }),
  }) as Position
}

export function decodePosition(text: Position): PostgresPosition {
  const stored = JSON.parse(text)
  if (stored.v !== 1) throw new Error(`a position of version ${stored.v} cannot be read`)
  const { systemId, timeline, slot, tables, ordinal, held = [], snapshot } = stored
  return {
    ...{ systemId, timeline, slot, tables, ordinal, held },
    commit: parseLsn(stored.commit),
    commitEnd: parseLsn(stored.commitEnd),
    lastVersion: BigInt(stored.lastVersion),
    ...(stored.idle && { idle: parseLsn(stored.idle) }),
    ...(snapshot && { snapshot: { ...snapshot, from: BigInt(snapshot.from) } }),
    ...(stored.only && { only: true }),
    ...(stored.unread && { unread: stored.unread }),
    ...(stored.former && { former: stored.former }),
    ...(stored.published && { published: stored.published }),
    ...(stored.incremental && { incremental: decodeIncremental(stored.incremental) }),
  }
}

/** What the server may forget. */
export function acknowledged({ idle, commitEnd }: PostgresPosition): Lsn {
  return idle !== undefined && idle > commitEnd ? idle : commitEnd
}

interface CommitPlace {
  readonly commit: Lsn | number
  readonly commitEnd: Lsn | number
}

/** Whether whoever stops here has whole commits. A snapshot begins anew. */
export function isWhole(position: PostgresPosition): boolean {
  return position.snapshot !== undefined || !isInside(position)
}

/** Whether the last commit went out in part only. */
export function isInside({ commit, commitEnd }: CommitPlace): boolean {
  return commit >= commitEnd
}
