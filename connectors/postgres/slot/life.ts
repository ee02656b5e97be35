import type { Client } from 'pg'
import { MillraceError } from '../../../src/core/errors.ts'
import type { ResolvedOptions } from '../options.ts'
import { acknowledged, isInside, type PostgresPosition } from '../position.ts'
import { connect, quoteLiteral } from '../session.ts'
import { describeTable, type Table } from '../tables.ts'
import { formatLsn } from '../wal/lsn.ts'
import { adoptSlot } from './adopt.ts'
import { lossOf } from './compare.ts'
import { checkPublication, ensurePublication } from './publication.ts'
import { hasLost, joinPublished, lostPublication, readPublished } from './publication-watch.ts'
import { checkPosition, dropSlot, ensureFailover, findSlot, type ServerIdentity } from './slot.ts'
import { describeFork } from './timeline.ts'

/** What a connector that has connected knows of the server and of its own wishes. */
export interface Connected {
  readonly replication: Client
  readonly sql: Client
  readonly server: ServerIdentity
  readonly options: ResolvedOptions
  readonly say: (line: string) => void
}

/** Takes over a slot with all that was read of it; the publication must be complete already. */
export async function adopt(
  { sql, server, options, say }: Connected,
  tables: readonly Table[],
): Promise<PostgresPosition> {
  const { slot, publication, viaRoot, life } = options
  await ensurePublication(sql, { publication, viaRoot, autocreate: 'disabled' }, tables)
  const position = await adoptSlot(sql, server, { slot, tables, offset: life.adoptOffset })
  say(`slot ${slot} adopted at ${formatLsn(acknowledged(position))}, without a snapshot`)
  return position
}

/** Compares what was read with what the server has. Gives the position to go on from. */
export async function resume(
  { replication, sql, server, options, say }: Connected,
  position: PostgresPosition,
  tables: readonly Table[],
): Promise<PostgresPosition> {
  const { slot } = options
  if (position.slot !== slot) await refuseMissing(sql, slot, position.slot)
  const resumed = await checkPosition(sql, server, { ...position, slot })
  const read = tables.filter((table) => position.tables.includes(describeTable(table)))
  await checkPublication(sql, options.publication, read)
  const { published } = position
  if (published !== undefined) {
    const left = joinPublished(published, published, read)!
    const now = await readPublished(sql, options.publication, read)
    if (hasLost(left, now)) throw lostPublication(options.publication, 'while nobody read it')
  }
  if (options.life.failover && (await ensureFailover(replication, sql, slot))) {
    say(`slot ${slot} is kept on standbys from now on`)
  }
  const fork = server.history.find(({ timeline }) => timeline === position.timeline)
  if (fork !== undefined) {
    say(`the server was promoted: ${describeFork(fork.timeline, server.timeline, fork.lsn)}`)
  }
  return resumed
}

/**
 * Goes on with a server that has another identifier because it went through pg_upgrade: that
 * carries slots over once all of their WAL was read, to where the new server's WAL begins.
 */
export async function adoptUpgraded(
  { sql, server, options, say }: Connected,
  position: PostgresPosition,
): Promise<PostgresPosition> {
  const { slot } = options
  if (isInside(position)) {
    const message = 'The last commit that was read before the upgrade was read in part only.'
    throw new MillraceError('POSITION_GAP', message)
  }
  const { tables, ...adopted } = await adoptSlot(sql, server, {
    ...{ slot, tables: [], offset: undefined },
  })
  say(`slot ${slot} adopted at ${formatLsn(acknowledged({ ...adopted, tables }))} after an upgrade`)
  const { lastVersion } = position
  return { ...position, ...adopted, lastVersion, idle: undefined, published: undefined }
}

/**
 * Throws if the slot that is to be made is there already. Whoever comes here has no position, so it
 * is not ours: to drop it could lose what another reader has not read. One that lost its WAL has
 * nothing to lose.
 */
export async function refuseTaken(sql: Client, slot: string): Promise<void> {
  const found = await findSlot(sql, slot)
  if (found === undefined || lossOf(found) !== undefined) return
  const message =
    `The replication slot ${slot} is there already, and nothing here says that this pipeline made ` +
    'it: another may need what it holds. To go on where it stands, without a snapshot, set ' +
    `slot.adopt: true. To start over, run: SELECT pg_drop_replication_slot(${quoteLiteral(slot)}); ` +
    'or name another one with slot.name.'
  throw new MillraceError('TARGET_MISCONFIGURED', message)
}

/** A slot of another name can be gone on with if it was copied from the one before. */
async function refuseMissing(sql: Client, slot: string, before: string): Promise<void> {
  if ((await findSlot(sql, slot)) !== undefined) return
  const message =
    `There is no slot ${slot}; so far ${before} was read. Set slot.name back to that, or run: ` +
    `SELECT pg_copy_logical_replication_slot(${quoteLiteral(before)}, ${quoteLiteral(slot)})`
  throw new MillraceError('TARGET_MISCONFIGURED', message)
}

/** Drops the slot, on a connection of its own. */
export async function dropOnStop({ url, slot }: ResolvedOptions): Promise<void> {
  const replication = await connect(url, true)
  try {
    await dropSlot(replication, slot)
  } finally {
    await replication.end()
  }
}
