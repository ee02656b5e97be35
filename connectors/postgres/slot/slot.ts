import type { Client } from 'pg'
import { MillraceError } from '../../../src/core/errors.ts'
import type { PostgresPosition } from '../position.ts'
import { quoteName } from '../session.ts'
import { type Lsn, parseLsn } from '../wal/lsn.ts'
import { comparePosition, type SlotState } from './compare.ts'
import { type Fork, parseHistory } from './timeline.ts'

export interface ServerIdentity {
  readonly systemId: string
  readonly timeline: number
  readonly database: string
  /** The ancestors of the timeline. */
  readonly history: readonly Fork[]
}

/** Asks a replication connection whose history it serves. */
export async function identify(replication: Client): Promise<ServerIdentity> {
  const { rows } = await replication.query('IDENTIFY_SYSTEM')
  const { systemid, timeline: number, dbname } = rows[0]
  const timeline = Number(number)
  const history = timeline === 1 ? [] : await readHistory(replication, timeline)
  return { systemId: systemid, timeline, database: dbname, history }
}

async function readHistory(replication: Client, timeline: number): Promise<Fork[]> {
  const { rows } = await replication.query(`TIMELINE_HISTORY ${timeline}`)
  return parseHistory(String(rows[0]?.content ?? ''))
}

interface SlotRow {
  readonly plugin: string | null
  readonly database: string | null
  readonly active_pid: number | null
  readonly reader: string | null
  readonly confirmed_flush_lsn: string | null
  readonly wal_status: string | null
  readonly invalidation_reason?: string | null
  readonly conflicting?: boolean | null
  readonly failover?: boolean
}

/** What the server says of a slot; `undefined` if there is none of this name. */
export async function findSlot(sql: Client, slot: string): Promise<SlotState | undefined> {
  const { rows } = await sql.query<SlotRow>(
    `SELECT s.*, concat_ws(' at ', nullif(a.application_name, ''), a.client_addr) AS reader
       FROM pg_catalog.pg_replication_slots s
       LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = s.active_pid
      WHERE s.slot_name = $1`,
    [slot],
  )
  const [row] = rows
  if (row === undefined) return undefined
  const { plugin, database, active_pid, reader, confirmed_flush_lsn, wal_status } = row
  return {
    ...{ plugin, database, activePid: active_pid, reader: reader || undefined },
    confirmed: confirmed_flush_lsn === null ? null : parseLsn(confirmed_flush_lsn),
    ...{ walStatus: wal_status, invalidation: row.invalidation_reason ?? null },
    ...{ conflicting: row.conflicting ?? false, failover: row.failover ?? false },
  }
}

export async function checkWalLevel(sql: Client): Promise<void> {
  const { rows } = await sql.query("SELECT current_setting('wal_level') AS level")
  if (rows[0].level === 'logical') return
  const message = `The server runs with wal_level = ${rows[0].level}; it must be logical.`
  throw new MillraceError('WAL_LEVEL', message)
}

/** Where the server's WAL ends; on a standby, where it has been replayed to. */
export async function readWalEnd(sql: Client): Promise<Lsn> {
  const { rows } = await sql.query(
    `SELECT CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn()
                 ELSE pg_current_wal_flush_lsn() END AS lsn`,
  )
  return parseLsn(rows[0].lsn)
}

/**
 * Compares a position with the server before anything is read, and gives the one to go on from.
 * Throws with the way out if changes would be missed.
 */
export async function checkPosition(
  sql: Client,
  server: ServerIdentity,
  position: PostgresPosition,
): Promise<PostgresPosition> {
  const found = await findSlot(sql, position.slot)
  return comparePosition(position, { ...server, walEnd: await readWalEnd(sql) }, found)
}

export interface NewSlot {
  /** Where the stream begins; what is older is in the snapshot. */
  readonly consistentPoint: Lsn
  /** Lives until the next command on the connection that made it. */
  readonly snapshot: string
}

/**
 * Makes the slot. One of this name that is there is our own: made by an attempt that came to
 * nothing, or by a life of which a new snapshot makes good what it missed.
 */
export async function createSlot(
  replication: Client,
  sql: Client,
  { slot, failover = false }: { readonly slot: string; readonly failover?: boolean },
): Promise<NewSlot> {
  if (failover) await refuseWithoutFailover(sql)
  const found = await findSlot(sql, slot)
  if (found?.activePid) {
    const message = `The slot ${slot} is read by server process ${found.activePid}.`
    throw new MillraceError('SLOT_IN_USE', message)
  }
  if (found !== undefined) await sql.query('SELECT pg_drop_replication_slot($1)', [slot])
  const kept = failover ? " (SNAPSHOT 'export', FAILOVER true)" : ' EXPORT_SNAPSHOT'
  const { rows } = await replication.query(
    `CREATE_REPLICATION_SLOT ${quoteName(slot)} LOGICAL pgoutput${kept}`,
  )
  const { consistent_point, snapshot_name } = rows[0]
  return { consistentPoint: parseLsn(consistent_point), snapshot: snapshot_name }
}

/** A snapshot without a slot, for those who want no stream; it lives as long as the connection. */
export async function exportSnapshot(client: Client): Promise<NewSlot> {
  await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY')
  const { rows } = await client.query(
    'SELECT pg_export_snapshot() AS snapshot, pg_current_wal_insert_lsn() AS lsn',
  )
  return { consistentPoint: parseLsn(rows[0].lsn), snapshot: rows[0].snapshot }
}

/** Makes standbys keep a slot that is there already. */
export async function ensureFailover(
  replication: Client,
  sql: Client,
  slot: string,
): Promise<boolean> {
  await refuseWithoutFailover(sql)
  const found = await findSlot(sql, slot)
  if (found === undefined || found.failover) return false
  await replication.query(`ALTER_REPLICATION_SLOT ${quoteName(slot)} (FAILOVER true)`)
  return true
}

async function refuseWithoutFailover(sql: Client): Promise<void> {
  const { rows } = await sql.query("SELECT current_setting('server_version_num')::int AS version")
  if (rows[0].version >= 170000) return
  const message = 'slot.failover needs PostgreSQL 17 or later. Turn it off, or upgrade the server.'
  throw new MillraceError('TARGET_MISCONFIGURED', message)
}

/** Drops a slot once its last reader is gone. */
export async function dropSlot(replication: Client, slot: string): Promise<void> {
  await replication.query(`DROP_REPLICATION_SLOT ${quoteName(slot)} WAIT`)
}

/** How long the server waits for a reader that says nothing; 0: for ever. */
export async function readSenderTimeoutMs(sql: Client): Promise<number> {
  const { rows } = await sql.query(
    "SELECT setting::int AS ms FROM pg_catalog.pg_settings WHERE name = 'wal_sender_timeout'",
  )
  return rows[0]?.ms ?? 60_000
}
