import { MillraceError } from '../../../src/core/errors.ts'
import { acknowledged, isInside, type PostgresPosition } from '../position.ts'
import { formatLsn, type Lsn } from '../wal/lsn.ts'
import { describeFork, type Fork, sharedHistory } from './timeline.ts'

/** What a server says of itself. */
export interface ServerState {
  readonly systemId: string
  readonly timeline: number
  readonly database: string
  /** The ancestors of its timeline. */
  readonly history: readonly Fork[]
  /** Where its WAL ends. */
  readonly walEnd: Lsn
}

/** What a server says of a slot. */
export interface SlotState {
  readonly plugin: string | null
  readonly database: string | null
  readonly activePid: number | null
  /** Who reads it, as far as we may know. */
  readonly reader?: string | undefined
  readonly confirmed: Lsn | null
  readonly walStatus: string | null
  readonly invalidation: string | null
  readonly conflicting: boolean
  readonly failover: boolean
}

/**
 * Compares a position with the server and its slot before anything is read: the server itself would
 * skip what the slot no longer has, without a word. Gives the position to go on from, which a
 * promotion may have cut back to its fork. Throws with the way out if changes would be missed.
 */
export function comparePosition(
  position: PostgresPosition,
  server: ServerState,
  slot: SlotState | undefined,
): PostgresPosition {
  if (position.systemId !== server.systemId) {
    const message =
      `The server has system identifier ${server.systemId}, but ${position.systemId} was read: it ` +
      'is another one, or it was restored by dump, or it went through pg_upgrade. If all was read ' +
      `before an upgrade, go on with slot.adopt.system: '${server.systemId}'.`
    throw new MillraceError('OTHER_DATABASE', message)
  }
  const promoted = server.timeline !== position.timeline
  if (slot === undefined) throw gone(position.slot, promoted)
  checkUsable(position.slot, slot, server.database)
  const resumed = followTimeline(position, server)
  const read = acknowledged(resumed)
  if (slot.confirmed !== null && slot.confirmed > read)
    throw gap(position.slot, slot.confirmed, read)
  if (server.walEnd < read) {
    const message =
      `The server's WAL ends at ${formatLsn(server.walEnd)}, but it was read up to ` +
      `${formatLsn(read)}.`
    throw new MillraceError('SERVER_ROLLED_BACK', message)
  }
  return resumed
}

/** Throws unless the slot is one that we may read now. */
export function checkUsable(name: string, slot: SlotState, database: string): void {
  if (slot.plugin !== 'pgoutput') {
    const what = slot.plugin === null ? 'is physical' : `uses the plugin ${slot.plugin}`
    const message = `The replication slot ${name} ${what}; it must be logical, with pgoutput. Name another slot with slot.name.`
    throw new MillraceError('TARGET_MISCONFIGURED', message)
  }
  if (slot.database !== database) {
    const message = `The replication slot ${name} belongs to the database ${slot.database}, not ${database}.`
    throw new MillraceError('OTHER_DATABASE', message)
  }
  const reason = lossOf(slot)
  if (reason !== undefined) {
    throw new MillraceError('SLOT_LOST', `The replication slot ${name} is invalid: ${reason}.`)
  }
  if (slot.activePid !== null) {
    const reader = slot.reader === undefined ? '' : ` (${slot.reader})`
    const message = `The slot ${name} is read by server process ${slot.activePid}${reader}.`
    throw new MillraceError('SLOT_IN_USE', message)
  }
}

/** Why a slot can never be read again; `undefined` if it can. */
export function lossOf({ walStatus, invalidation, conflicting }: SlotState): string | undefined {
  if (invalidation !== null) return reasons[invalidation] ?? invalidation
  if (walStatus === 'lost') return reasons.wal_removed
  return conflicting ? reasons.rows_removed : undefined
}

const reasons: Readonly<Record<string, string>> = {
  wal_removed:
    'it fell behind by more than max_slot_wal_keep_size, and the server removed WAL that it needs',
  rows_removed:
    'the primary removed catalog rows that it needs (hot_standby_feedback was off on this standby)',
  wal_level_insufficient: 'wal_level was lowered below logical meanwhile',
  idle_timeout: 'nobody read it for longer than idle_replication_slot_timeout',
}

/**
 * A promotion that forks above all commits that were written is ordinary. Only an idle advance may
 * lie beyond the fork: nothing was read there, so it is cut back.
 */
function followTimeline(position: PostgresPosition, server: ServerState): PostgresPosition {
  const shared = sharedHistory(position.timeline, server.timeline, server.history)
  if (shared.kind === 'same') return position
  if (shared.kind === 'unrelated') {
    const message =
      `The server is on timeline ${server.timeline}, which does not descend from timeline ` +
      `${position.timeline} that was read: it is an old primary, or was restored from a backup.`
    throw new MillraceError('SERVER_ROLLED_BACK', message)
  }
  const { lsn: fork } = shared
  // A commit under way is known by where its record begins; that record must be on both timelines.
  const lost = isInside(position) ? fork <= position.commit : fork < position.commitEnd
  if (lost) {
    const end = isInside(position) ? position.commit : position.commitEnd
    const message =
      `The server was promoted without the last commits that were read: ` +
      `${describeFork(position.timeline, server.timeline, fork)}, below ${formatLsn(end)}.`
    throw new MillraceError('SERVER_ROLLED_BACK', message)
  }
  const { idle } = position
  const cut = idle !== undefined && idle > fork ? { idle: fork } : {}
  return { ...position, ...cut, timeline: server.timeline }
}

function gone(slot: string, promoted: boolean): MillraceError {
  const why = promoted
    ? ' The server was promoted meanwhile, and the slot did not come along: from PostgreSQL 17 on slot.failover: true keeps it on standbys.'
    : ''
  const message = `The replication slot ${slot} does not exist any more.${why}`
  return new MillraceError('SLOT_LOST', message)
}

function gap(slot: string, confirmed: Lsn, read: Lsn): MillraceError {
  const message =
    `The slot ${slot} stands at ${formatLsn(confirmed)}, but only ${formatLsn(read)} was read: ` +
    'somebody else read or advanced it, or dropped it and made it again.'
  return new MillraceError('POSITION_GAP', message)
}
