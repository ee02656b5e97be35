import type { Client } from 'pg'
import { MillraceError } from '../../../src/core/errors.ts'
import type { ResolvedOptions } from '../options.ts'
import { acknowledged, type PostgresPosition } from '../position.ts'
import { connect, quoteLiteral } from '../session.ts'
import { describeTable, type Table } from '../tables.ts'
import { formatLsn } from '../wal/lsn.ts'
import { adoptSlot } from './adopt.ts'
import { checkPublication, ensurePublication } from './publication.ts'
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
  if (options.life.failover && (await ensureFailover(replication, sql, slot))) {
    say(`slot ${slot} is kept on standbys from now on`)
  }
  const fork = server.history.find(({ timeline }) => timeline === position.timeline)
  if (fork !== undefined) {
    say(`the server was promoted: ${describeFork(fork.timeline, server.timeline, fork.lsn)}`)
  }
  return resumed
}

/** A slot of another name can be gone on with if it was copied from the one before. */
async function refuseMissing(sql: Client, slot: string, before: string): Promise<void> {
  if ((await findSlot(sql, slot)) !== undefined) return
  const message =
    `There is no slot ${slot}; so far ${before} was read. Set slot.name back to that, or run: ` +
    `SELECT pg_copy_logical_replication_slot(${quoteLiteral(before)}, ${quoteLiteral(slot)})`
  throw new MillraceError('TARGET_MISCONFIGURED', message)
}

/** What a stop was asked for with, unlike an end that a failure of others brings. */
export const stopReason = 'stop'

/** Drops the slot, on a connection of its own. */
export async function dropOnStop({ url, slot }: ResolvedOptions): Promise<void> {
  const replication = await connect(url, true)
  try {
    await dropSlot(replication, slot)
  } finally {
    await replication.end()
  }
}
