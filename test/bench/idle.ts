import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Client } from 'pg'
import { startPostgres } from '../support/servers/postgres.ts'
import type { BenchOptions, Report } from './bench.ts'
import { makeBigTable } from './big-table.ts'
import { round, startChild } from './measure.ts'

const megabyte = 1024 * 1024
const sampleMs = 50
/** After the writing ends, the connector has so long to catch up; the server speaks of itself. */
const settleMs = 3_000

interface Retained {
  /** Behind what the reader has confirmed: what it is to blame for. */
  readonly confirmed: number
  /** Behind where decoding would start again; the server moves it by its own clock. */
  readonly restart: number
}

/**
 * A connector whose database is idle while another one of the same server writes a gigabyte of WAL:
 * how much the slot retains at most, beside a slot that nobody reads.
 */
export async function idle({ scale }: BenchOptions): Promise<Report> {
  const bytes = 1024 * megabyte * scale
  const postgres = await startPostgres()
  const directory = mkdtempSync(join(tmpdir(), 'millrace-bench-'))
  const url = await postgres.createDatabase('quiet')
  const loud = await connect(await postgres.createDatabase('loud'))
  const watcher = await connect(url)
  try {
    const [unread] = await makeBigTable(url, { rows: 1, fill: 'one', slots: 1 })
    const child = await startChild('idle.ts', { url, slot: 'read', path: join(directory, 'log') })
    const watching = watch(watcher, ['read', unread!])
    const seconds = await writeWal(loud, bytes)
    await sleep(settleMs)
    const [read, reference] = await watching.stop()
    child.stop()
    const { cpuMsPerSecond } = (await child.result()) as { readonly cpuMsPerSecond: number }
    print({ seconds, read: read!, reference: reference!, cpuMsPerSecond })
    return {
      bench: 'idle',
      figure: read!.max.restart,
      unit: 'MB (retained by the slot, at most)',
      reference: reference!.max.restart,
      ratio: read!.max.restart / reference!.max.restart,
      cpuUsPerRecord: Number.NaN, // There are none.
      cpuMsPerSecond,
      peakRssMb: child.memory().peakRssMb,
      confirmedRetainedMb: read!.max.confirmed,
      confirmedAtEndMb: read!.last.confirmed,
      restartAtEndMb: read!.last.restart,
      writtenMbPerSecond: bytes / megabyte / seconds,
    }
  } finally {
    await Promise.all([loud.end(), watcher.end()])
    await postgres.stop()
    rmSync(directory, { recursive: true, force: true })
  }
}

async function connect(url: string): Promise<Client> {
  const client = new Client(url)
  await client.connect()
  return client
}

/** Writes rows of a kilobyte, in transactions of a thousand, until the WAL has grown so much. */
async function writeWal(client: Client, bytes: number): Promise<number> {
  await client.query('CREATE TABLE noise (id bigint, filler text)')
  const { rows: begin } = await client.query('SELECT pg_current_wal_insert_lsn() AS lsn')
  const start = performance.now()
  for (let written = 0; written < bytes; ) {
    await client.query(
      `INSERT INTO noise SELECT i, repeat(md5(i::text), 30) FROM generate_series(1, 1000) i`,
    )
    const { rows } = await client.query(
      'SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), $1)::float8 AS written',
      [begin[0].lsn],
    )
    written = rows[0].written
  }
  return (performance.now() - start) / 1000
}

interface Watched {
  readonly max: Retained
  readonly last: Retained
}

/** Looks every 50 ms at what slots retain, in MB. */
function watch(client: Client, slots: readonly string[]) {
  const seen = slots.map((): Retained[] => [])
  let stopped = false
  const loop = (async () => {
    while (!stopped) {
      const { rows } = await client.query<Retained & { readonly slot: string }>(
        `SELECT slot_name AS slot,
                pg_wal_lsn_diff(pg_current_wal_lsn(), confirmed_flush_lsn)::float8 AS confirmed,
                pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn)::float8 AS restart
           FROM pg_replication_slots`,
      )
      for (const { slot, confirmed, restart } of rows) {
        const values = { confirmed: confirmed / megabyte, restart: restart / megabyte }
        seen[slots.indexOf(slot)]?.push(values)
      }
      await sleep(sampleMs)
    }
  })()
  return {
    stop: async (): Promise<Watched[]> => {
      stopped = true
      await loop
      return seen.map((values) => ({
        max: {
          confirmed: Math.max(...values.map(({ confirmed }) => confirmed)),
          restart: Math.max(...values.map(({ restart }) => restart)),
        },
        last: values.at(-1)!,
      }))
    },
  }
}

interface Outcome {
  readonly seconds: number
  readonly read: Watched
  readonly reference: Watched
  readonly cpuMsPerSecond: number
}

function print({ seconds, read, reference, cpuMsPerSecond }: Outcome): void {
  const show = ({ confirmed, restart }: Retained) =>
    `${round(confirmed)} MB behind what is confirmed, ${round(restart)} MB behind the restart point`
  console.log(`the other database wrote for ${round(seconds)} s`)
  console.log(`read slot, at most: ${show(read.max)}`)
  console.log(`read slot, at the end: ${show(read.last)}`)
  console.log(`unread slot, at most: ${show(reference.max)}`)
  console.log(`the connector took ${round(cpuMsPerSecond)} ms CPU a second`)
}
