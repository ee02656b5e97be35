import type { Client } from 'pg'
import type { Finding } from '../../../src/core/plugin.ts'
import { error, ok, warning } from './finding.ts'
import { type Managed, productNames, settingAdvice, walLevelHints } from './managed.ts'

/** What the server says of itself, read in one question. */
export interface ServerFacts {
  readonly version: number
  readonly release: string
  readonly encoding: string
  readonly walLevel: string
  readonly slots: number
  readonly maxSlots: number
  readonly senders: number
  readonly maxSenders: number
  readonly keepMb: number
  /** `idle_replication_slot_timeout`; `null` before PostgreSQL 18. */
  readonly idleTimeout: string | null
  readonly isStandby: boolean
  readonly isEncrypted: boolean
  readonly isLocal: boolean
  /** The backend's own process, and the one that the connection was told. */
  readonly pid: number
  readonly toldPid: number
  readonly hasSlot: boolean
}

export async function readServerFacts(sql: Client, slot: string): Promise<ServerFacts> {
  const { rows } = await sql.query(
    `SELECT current_setting('server_version_num')::int AS version,
            current_setting('server_version') AS release,
            pg_encoding_to_char(d.encoding) AS encoding,
            current_setting('wal_level') AS "walLevel",
            (SELECT count(*)::int FROM pg_catalog.pg_replication_slots) AS slots,
            current_setting('max_replication_slots')::int AS "maxSlots",
            (SELECT count(*)::int FROM pg_catalog.pg_stat_replication) AS senders,
            current_setting('max_wal_senders')::int AS "maxSenders",
            (SELECT setting::int FROM pg_catalog.pg_settings
              WHERE name = 'max_slot_wal_keep_size') AS "keepMb",
            current_setting('idle_replication_slot_timeout', true) AS "idleTimeout",
            pg_is_in_recovery() AS "isStandby",
            coalesce((SELECT ssl FROM pg_catalog.pg_stat_ssl WHERE pid = pg_backend_pid()), false)
              AS "isEncrypted",
            inet_client_addr() IS NULL OR inet_client_addr() <<= '127.0.0.0/8'
              OR inet_client_addr() = '::1' AS "isLocal",
            pg_backend_pid() AS pid,
            EXISTS (SELECT FROM pg_catalog.pg_replication_slots WHERE slot_name = $1) AS "hasSlot"
       FROM pg_catalog.pg_database d WHERE d.datname = current_database()`,
    [slot],
  )
  const toldPid = (sql as unknown as { processID: number | null }).processID ?? 0
  return { ...rows[0], toldPid }
}

/** What is to be said of them. */
export function* judgeServer(facts: ServerFacts, managed: Managed | undefined): Generator<Finding> {
  yield judgeVersion(facts)
  if (managed !== undefined) yield ok(`it is run by ${productNames[managed]}`)
  yield* judgeConnection(facts, managed)
  yield judgeWalLevel(facts, managed)
  yield* judgeRoom(facts, managed)
  yield judgeKeepSize(facts, managed)
  const { idleTimeout } = facts
  if (idleTimeout !== null && !/^0(\D|$)/.test(idleTimeout)) {
    const what = `a slot that nobody reads for ${idleTimeout} is lost (idle_replication_slot_timeout)`
    yield warning(what, { hint: 'Is that longer than the pipeline may ever stand still?' })
  }
}

function judgeVersion({ version, release }: ServerFacts): Finding {
  const major = Math.floor(version / 10_000)
  const what = `PostgreSQL ${release}`
  if (major < 14) {
    const hint = 'Upgrade to 14 or later.'
    return error(`${what} is older than what is supported: 14 to 18`, { hint })
  }
  return major > 18 ? warning(`${what} is newer than what is tested: 14 to 18`) : ok(what)
}

function* judgeConnection(facts: ServerFacts, managed: Managed | undefined): Generator<Finding> {
  const { encoding, pid, toldPid, isEncrypted, isLocal, isStandby, version } = facts
  // Neon's proxy answers in place of each server, and lets replication through.
  if (pid !== toldPid && managed !== 'neon') {
    const hint = 'Name the server itself in url (often port 5432): replication cannot be pooled.'
    yield error('there is a pooler such as PgBouncer between here and the server', { hint })
  }
  if (!isEncrypted && !isLocal) {
    const hint = 'Set ssl = on at the server, and take database.sslmode away.'
    yield warning('the connection is not encrypted', { hint })
  }
  if (isStandby) {
    const hint = 'Name the primary; or make the publication there, and use PostgreSQL 16 or later.'
    yield version < 160_000
      ? error('the server is a standby, which has no logical slots before PostgreSQL 16', { hint })
      : warning('the server is a standby', { hint })
  }
  if (encoding === 'SQL_ASCII') {
    const hint = 'Move the data to a database made WITH ENCODING ‘UTF8’.'
    yield error('the database has no encoding (SQL_ASCII): its bytes may be no text', { hint })
  } else if (encoding !== 'UTF8') {
    yield warning(`the database is in ${encoding}, not UTF8: text is converted by the server`)
  }
}

function judgeWalLevel({ walLevel }: ServerFacts, managed: Managed | undefined): Finding {
  if (walLevel === 'logical') return ok('wal_level is logical')
  const what = `wal_level is ${walLevel}; it must be logical`
  if (managed !== undefined) return error(what, { hint: walLevelHints[managed] })
  return error(what, settingAdvice(undefined, 'wal_level', 'logical'))
}

function* judgeRoom(facts: ServerFacts, managed: Managed | undefined): Generator<Finding> {
  const { slots, maxSlots, senders, maxSenders, hasSlot } = facts
  const advise = (name: string, now: number) => settingAdvice(managed, name, String(now + 4))
  if (hasSlot || slots < maxSlots) yield ok(`${slots} of ${maxSlots} replication slots are in use`)
  else {
    const what = `all ${maxSlots} replication slots (max_replication_slots) are in use`
    yield error(what, advise('max_replication_slots', maxSlots))
  }
  if (senders < maxSenders) yield ok(`${senders} of ${maxSenders} WAL senders are in use`)
  else {
    const what = `all ${maxSenders} WAL senders (max_wal_senders) are in use`
    yield error(what, advise('max_wal_senders', maxSenders))
  }
}

function judgeKeepSize({ keepMb }: ServerFacts, managed: Managed | undefined): Finding {
  if (keepMb >= 0) {
    return ok(`a slot may keep ${keepMb} MB of WAL (max_slot_wal_keep_size); then it is lost`)
  }
  const { hint, ...rest } = settingAdvice(managed, 'max_slot_wal_keep_size', '50GB')
  return warning('max_slot_wal_keep_size is unlimited: a slot nobody reads fills the disk', {
    ...rest,
    hint: `Choose what the disk can spare: a slot that needs more is lost. ${hint}`,
  })
}
