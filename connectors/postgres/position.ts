import type { Position } from '../../src/core/source.ts'
import { formatLsn, type Lsn, parseLsn } from './lsn.ts'

/**
 * How far the connector has come in a database. As text it is JSON with these members:
 *
 *   v           1
 *   systemId, timeline, slot   which history, and through what it is read
 *   tables      what was snapshotted, as `schema.table`
 *   commit      LSN of the last commit of which records went out, as BEGIN names it
 *   ordinal     changes of that commit that went out, counted as the server sent them
 *   held        ordinals below `ordinal` that did not go out yet (each topic's last record waits for
 *               COMMIT, to bear the end mark)
 *   commitEnd   end LSN of the last whole commit: what may be acknowledged. Above `commit`: that one
 *               is whole. Not above: it is under way.
 *   lastVersion the last version given, which no later one may fall below
 *   idle        end of WAL at a moment when nothing was under way
 *   snapshot    while a snapshot runs: `intent` before the slot is made, then `running`; `from` is
 *               the first version of this attempt, `again` tells that an earlier one wrote rows
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
}

export interface SnapshotState {
  readonly phase: 'intent' | 'running'
  readonly from: bigint
  readonly again: boolean
}

export function encodePosition(position: PostgresPosition): Position {
  const { systemId, timeline, slot, tables, commit, ordinal, held, commitEnd } = position
  const { lastVersion, idle, snapshot } = position
  return JSON.stringify({
    ...{ v: 1, systemId, timeline, slot, tables },
    ...{ commit: formatLsn(commit), ordinal, ...(held.length > 0 && { held }) },
    ...{ commitEnd: formatLsn(commitEnd), lastVersion: String(lastVersion) },
    ...(idle !== undefined && { idle: formatLsn(idle) }),
    ...(snapshot && { snapshot: { ...snapshot, from: String(snapshot.from) } }),
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
  }
}

/** What the server may forget. */
export function acknowledged({ idle, commitEnd }: PostgresPosition): Lsn {
  return idle !== undefined && idle > commitEnd ? idle : commitEnd
}

/** Whether the last commit went out in part only. */
export function isInside({ commit, commitEnd }: PostgresPosition): boolean {
  return commit >= commitEnd
}
