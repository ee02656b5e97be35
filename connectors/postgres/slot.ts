import type { Client } from 'pg'
import { MillraceError } from '../../src/core/errors.ts'
import { formatLsn, type Lsn, parseLsn } from './lsn.ts'
import { acknowledged, type PostgresPosition } from './position.ts'
import { quoteName } from './session.ts'

export interface ServerIdentity {
  readonly systemId: string
  readonly timeline: number
  readonly database: string
}

/** Asks a replication connection whose history it serves. */
export async function identify(replication: Client): Promise<ServerIdentity> {
  const { rows } = await replication.query('IDENTIFY_SYSTEM')
  const { systemid, timeline, dbname } = rows[0]
  return { systemId: systemid, timeline: Number(timeline), database: dbname }
}

interface SlotRow {
  readonly plugin: string | null
  readonly active_pid: number | null
  readonly confirmed_flush_lsn: string | null
  readonly wal_status: string | null
  readonly invalidation_reason?: string | null
}

async function findSlot(sql: Client, slot: string): Promise<SlotRow | undefined> {
  const text = 'SELECT * FROM pg_catalog.pg_replication_slots WHERE slot_name = $1'
  const { rows } = await sql.query(text, [slot])
  return rows[0]
}

export async function checkWalLevel(sql: Client): Promise<void> {
  const { rows } = await sql.query("SELECT current_setting('wal_level') AS level")
  if (rows[0].level === 'logical') return
  const message = `The server runs with wal_level = ${rows[0].level}; it must be logical.`
  throw new MillraceError('WAL_LEVEL', message)
}

/**
 * Compares a position with the server before anything is read: the server itself would skip what the
 * slot no longer has, without a word. Throws with the way out if changes would be missed.
 */
export async function checkPosition(
  sql: Client,
  server: ServerIdentity,
  position: PostgresPosition,
): Promise<void> {
  const { slot, systemId } = position
  if (systemId !== server.systemId) {
    const message = `The server has system identifier ${server.systemId}, not ${systemId}.`
    throw new MillraceError('OTHER_DATABASE', message)
  }
  const found = await findSlot(sql, slot)
  if (found === undefined) {
    throw new MillraceError('SLOT_LOST', `The replication slot ${slot} does not exist any more.`)
  }
  checkSlot(slot, found, acknowledged(position))
  const { rows } = await sql.query('SELECT pg_current_wal_flush_lsn() AS lsn')
  const end = parseLsn(rows[0].lsn)
  if (end < acknowledged(position)) {
    const message = `The server's WAL ends at ${rows[0].lsn}, but it was read up to ${formatLsn(acknowledged(position))}.`
    throw new MillraceError('SERVER_ROLLED_BACK', message)
  }
}

function checkSlot(slot: string, found: SlotRow, read: Lsn): void {
  const { wal_status: status, confirmed_flush_lsn: confirmed, active_pid: pid } = found
  if (status === 'lost') {
    const reason = found.invalidation_reason ?? 'the server removed WAL that it needs'
    throw new MillraceError('SLOT_LOST', `The replication slot ${slot} is invalid: ${reason}.`)
  }
  if (confirmed !== null && parseLsn(confirmed) > read) {
    const message = `The slot ${slot} stands at ${confirmed}, but only ${formatLsn(read)} was read.`
    throw new MillraceError('POSITION_GAP', message)
  }
  if (pid !== null) {
    throw new MillraceError('SLOT_IN_USE', `The slot ${slot} is read by server process ${pid}.`)
  }
}

export interface NewSlot {
  /** Where the stream begins; what is older is in the snapshot. */
  readonly consistentPoint: Lsn
  /** Lives until the next command on the connection that made it. */
  readonly snapshot: string
}

/**
 * Makes the slot. One of this name that is there was made by an attempt that came to nothing: only a
 * connector without a position comes here, and the name is its own.
 */
export async function createSlot(replication: Client, sql: Client, slot: string): Promise<NewSlot> {
  const found = await findSlot(sql, slot)
  if (found?.active_pid) {
    const message = `The slot ${slot} is read by server process ${found.active_pid}.`
    throw new MillraceError('SLOT_IN_USE', message)
  }
  if (found !== undefined) await sql.query('SELECT pg_drop_replication_slot($1)', [slot])
  const { rows } = await replication.query(
    `CREATE_REPLICATION_SLOT ${quoteName(slot)} LOGICAL pgoutput EXPORT_SNAPSHOT`,
  )
  const { consistent_point, snapshot_name } = rows[0]
  return { consistentPoint: parseLsn(consistent_point), snapshot: snapshot_name }
}

/** Bytes of WAL that the server keeps for the slot, or `null` while there is none. */
export async function retainedBytes(sql: Client, slot: string): Promise<number | null> {
  const { rows } = await sql.query(
    `SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), confirmed_flush_lsn)::float8 AS bytes
       FROM pg_catalog.pg_replication_slots WHERE slot_name = $1`,
    [slot],
  )
  return rows[0]?.bytes ?? null
}
