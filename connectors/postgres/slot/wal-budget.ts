import type { Client } from 'pg'
import { type Lsn, parseLsn } from '../wal/lsn.ts'

/** What the server says of a slot's WAL at one moment. */
export interface WalSample {
  readonly atMs: number
  /** From the oldest WAL that is kept for the slot to the end. */
  readonly retainedBytes: number
  /** From what was acknowledged to the end. */
  readonly unreadBytes: number
  /** `max_slot_wal_keep_size`; `null`: without limit. */
  readonly limitBytes: number | null
  /** What may still be written before the slot can be lost; `null`: without limit. */
  readonly safeBytes: number | null
  readonly status: string
}

/** How long a slot will last. */
export interface WalBudget {
  readonly status: string
  readonly retainedBytes: number
  readonly limitBytes: number | null
  readonly safeBytes: number | null
  /** How much faster WAL is written than read; `null` until there are samples to tell. */
  readonly growthPerSecond: number | null
  /** `null`: never, at today's rate, or without a limit. */
  readonly secondsUntilLost: number | null
  readonly level: 'ok' | 'warning' | 'error'
}

/** Growth is measured over so long … */
const windowMs = 60_000
/** … and not over less: one checkpoint is no trend. */
const leastMs = 5_000
/** A slot that is lost within an hour, or has used half of what it may, is worth a word. */
const soonSeconds = 3_600

/** Judges the samples, the oldest first. Pure: what the clock says is in them. */
export function walBudget(samples: readonly WalSample[]): WalBudget | undefined {
  const last = samples.at(-1)
  if (last === undefined) return undefined
  const { status, retainedBytes, limitBytes, safeBytes } = last
  const growthPerSecond = growthOf(samples, last)
  const isGrowing = growthPerSecond !== null && growthPerSecond > 0
  const secondsUntilLost =
    safeBytes !== null && isGrowing ? Math.max(0, safeBytes) / growthPerSecond : null
  const budget = { status, retainedBytes, limitBytes, safeBytes, growthPerSecond, secondsUntilLost }
  return { ...budget, level: levelOf(budget) }
}

function growthOf(samples: readonly WalSample[], last: WalSample): number | null {
  const first = samples.find(({ atMs }) => last.atMs - atMs <= windowMs)!
  const seconds = (last.atMs - first.atMs) / 1000
  if (seconds * 1000 < leastMs) return null
  return (last.retainedBytes - first.retainedBytes) / seconds
}

function levelOf(budget: Omit<WalBudget, 'level'>): WalBudget['level'] {
  const { status, retainedBytes, limitBytes, secondsUntilLost } = budget
  if (status === 'lost' || status === 'unreserved') return 'error'
  const isHalfUsed = limitBytes !== null && retainedBytes >= limitBytes / 2
  const isSoon = secondsUntilLost !== null && secondsUntilLost < soonSeconds
  return isHalfUsed || isSoon ? 'warning' : 'ok'
}

/** A budget in one line. */
export function describeBudget(budget: WalBudget): string {
  const { retainedBytes, limitBytes, growthPerSecond, secondsUntilLost, status } = budget
  const limit = limitBytes === null ? '(no limit)' : `of ${megabytes(limitBytes)}`
  const isGrowing = growthPerSecond !== null && growthPerSecond >= 1
  const rate = isGrowing ? `, growing by ${megabytes(growthPerSecond)}/s` : ''
  const until = secondsUntilLost === null ? '' : `, lost in ${duration(secondsUntilLost)}`
  return `WAL kept: ${megabytes(retainedBytes)} ${limit}, ${status}${rate}${until}`
}

/** A budget as members of a status: numbers by name, and the line for people as `wal`. */
export function budgetDetail(budget: WalBudget): Readonly<Record<string, string | number>> {
  const numbers = {
    'wal.retained.bytes': budget.retainedBytes,
    'wal.limit.bytes': budget.limitBytes,
    'wal.safe.bytes': budget.safeBytes,
    'wal.growth.bytes.per.second': rounded(budget.growthPerSecond),
    'wal.seconds.until.lost': rounded(budget.secondsUntilLost),
  }
  const known = Object.entries(numbers).flatMap(([name, value]) =>
    value === null ? [] : [[name, value] as const],
  )
  return {
    wal: describeBudget(budget),
    'wal.status': budget.status,
    ...Object.fromEntries(known),
  }
}

function rounded(value: number | null): number | null {
  return value === null ? null : Math.round(value)
}

function megabytes(bytes: number): string {
  if (bytes >= 1e9) return `${(bytes / 1e9).toFixed(1)} GB`
  return bytes >= 1e6 ? `${(bytes / 1e6).toFixed(1)} MB` : `${Math.ceil(bytes / 1000)} kB`
}

function duration(seconds: number): string {
  if (seconds >= 7200) return `${Math.round(seconds / 3600)} h`
  return seconds >= 120 ? `${Math.round(seconds / 60)} min` : `${Math.round(seconds)} s`
}

/** The samples of the last minute. */
export class WalSamples {
  #samples: WalSample[] = []

  add(sample: WalSample): WalBudget {
    const isRecent = ({ atMs }: WalSample) => sample.atMs - atMs <= windowMs
    this.#samples = [...this.#samples.filter(isRecent), sample]
    return walBudget(this.#samples)!
  }
}

interface Row {
  readonly wal_end: string
  readonly restart_lsn: string | null
  readonly confirmed: string | null
  readonly safe: string | null
  readonly status: string | null
  readonly limit_mb: string
}

/** Asks the server about a slot; `null` while there is none. */
export async function sampleWal(sql: Client, slot: string): Promise<WalSample | null> {
  const { rows } = await sql.query<Row>(
    `SELECT CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn()
                 ELSE pg_current_wal_lsn() END AS wal_end,
            restart_lsn, confirmed_flush_lsn AS confirmed, safe_wal_size AS safe,
            wal_status AS status,
            (SELECT setting FROM pg_catalog.pg_settings
              WHERE name = 'max_slot_wal_keep_size') AS limit_mb
       FROM pg_catalog.pg_replication_slots WHERE slot_name = $1`,
    [slot],
  )
  const [row] = rows
  if (row === undefined) return null
  const end = parseLsn(row.wal_end)
  const limitMb = Number(row.limit_mb)
  return {
    atMs: Date.now(),
    retainedBytes: distance(row.restart_lsn, end),
    unreadBytes: distance(row.confirmed, end),
    limitBytes: limitMb < 0 ? null : limitMb * 1024 * 1024,
    safeBytes: row.safe === null ? null : Number(row.safe),
    status: row.status ?? 'lost',
  }
}

function distance(from: string | null, end: Lsn): number {
  return from === null ? 0 : Math.max(0, Number(end - parseLsn(from)))
}
