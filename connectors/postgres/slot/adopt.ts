import { readFileSync } from 'node:fs'
import type { Client } from 'pg'
import { MillraceError } from '../../../src/core/errors.ts'
import type { PostgresPosition } from '../position.ts'
import { describeTable, type TableName } from '../tables.ts'
import { formatLsn, type Lsn } from '../wal/lsn.ts'
import { parseOffset } from './adopt-offset.ts'
import { checkUsable } from './compare.ts'
import { findSlot, readWalEnd, type ServerIdentity } from './slot.ts'

export interface Adoption {
  readonly slot: string
  readonly tables: readonly TableName[]
  /** Debezium's stored offset, or a file that holds it. */
  readonly offset: string | undefined
}

/**
 * The position of a connector that takes over a slot and all that was read of it: no snapshot. It
 * begins where the slot stands, or at the last commit that the offset knows, if that is later.
 */
export async function adoptSlot(
  sql: Client,
  server: ServerIdentity,
  { slot, tables, offset }: Adoption,
): Promise<PostgresPosition> {
  const found = await findSlot(sql, slot)
  if (found === undefined) {
    const message = `There is no replication slot ${slot} to adopt. Name the slot with slot.name, or leave out slot.adopt to begin with a snapshot.`
    throw new MillraceError('TARGET_MISCONFIGURED', message)
  }
  checkUsable(slot, found, server.database)
  const confirmed = found.confirmed ?? 0n
  const read = offset === undefined ? confirmed : (readOffset(offset) ?? confirmed)
  const start = startOf({ slot, confirmed, read, walEnd: await readWalEnd(sql) })
  return {
    ...{ systemId: server.systemId, timeline: server.timeline, slot },
    tables: tables.map(describeTable),
    ...{ commit: start - 1n, ordinal: 0, held: [], commitEnd: start, lastVersion: start - 1n },
  }
}

interface Places {
  readonly slot: string
  readonly confirmed: Lsn
  readonly read: Lsn
  readonly walEnd: Lsn
}

/** Where to begin. Throws if the slot or the server cannot go on from what was read. */
export function startOf({ slot, confirmed, read, walEnd }: Places): Lsn {
  if (confirmed > read) {
    const message =
      `The slot ${slot} stands at ${formatLsn(confirmed)}, but the offset says that only ` +
      `${formatLsn(read)} was read. If Debezium was stopped in order and had caught up, leave out ` +
      'slot.adopt.offset; otherwise take a new snapshot.'
    throw new MillraceError('POSITION_GAP', message)
  }
  if (read > walEnd) {
    const message =
      `The offset says that ${formatLsn(read)} was read, but the server's WAL ends at ` +
      `${formatLsn(walEnd)}.`
    throw new MillraceError('SERVER_ROLLED_BACK', message)
  }
  return read
}

function readOffset(offset: string): Lsn | undefined {
  if (offset.trimStart().startsWith('{')) return parseOffset(offset)
  try {
    // A file of Java's serialised maps holds the JSON as it is, between other bytes.
    return parseOffset(readFileSync(offset, 'latin1'))
  } catch (cause) {
    if (cause instanceof MillraceError) throw cause
    const { code } = cause as NodeJS.ErrnoException
    const message = `slot.adopt.offset: the file ${offset} cannot be read (${code}).`
    throw new MillraceError('CONFIG_INVALID', message, { cause })
  }
}
