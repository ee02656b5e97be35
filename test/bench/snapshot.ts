import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startPostgres } from '../support/servers/postgres.ts'
import type { BenchOptions, Report } from './bench.ts'
import { dropSlot, makeBigTable } from './big-table.ts'
import { median, type Run, round, runChild, spread } from './measure.ts'
import { printProfile } from './profile.ts'

/**
 * Three million rows of a table into the durable log, from the first connection on, beside
 * `COPY … TO STDOUT` of the same table, read by one connection and discarded.
 */
export async function snapshot({ pairs = 5, scale, profile }: BenchOptions): Promise<Report> {
  const rows = Math.round(3_000_000 * scale)
  const postgres = await startPostgres()
  const directory = mkdtempSync(join(tmpdir(), 'millrace-bench-'))
  const { url } = postgres
  const run = async (slot: string, profile?: string) => {
    const path = join(directory, 'log')
    const run = await runChild('snapshot.ts', { url, rows, slot, path }, profile)
    rmSync(path, { recursive: true })
    await dropSlot(url, slot)
    return run
  }
  try {
    await makeBigTable(url, { rows, fill: 'one', slots: 0 })
    await runChild('copy.ts', { url, rows }) // Sets hint bits and fills the cache, for both.
    const copies: Run[] = []
    const snapshots: Run[] = []
    for (let i = 0; i < pairs; i++) {
      copies.push(await runChild('copy.ts', { url, rows }))
      snapshots.push(await run(`bench_${i}`))
      print(i, copies[i]!, snapshots[i]!)
    }
    if (profile) {
      const file = join(directory, 'snapshot.cpuprofile')
      await run('bench_profile', file)
      printProfile(file, rows)
    }
    return summarize(copies, snapshots)
  } finally {
    await postgres.stop()
    rmSync(directory, { recursive: true, force: true })
  }
}

function rate({ result }: Run): number {
  return result.rowsPerSecond!
}

function print(pair: number, copy: Run, run: Run): void {
  const cpu = `${round(run.result.cpuUsPerRow!)} µs CPU a row, peak ${round(run.peakRssMb)} MB`
  const rates = `COPY ${round(rate(copy))} rows/s, snapshot ${round(rate(run))} rows/s`
  console.log(`pair ${pair + 1}: ${rates}, ${cpu}`)
}

function summarize(copies: readonly Run[], snapshots: readonly Run[]): Report {
  const ratios = snapshots.map((run, i) => rate(run) / rate(copies[i]!))
  console.log(`snapshot ${spread(snapshots.map(rate))} rows/s, ratio ${spread(ratios)}`)
  return {
    bench: 'snapshot',
    figure: median(snapshots.map(rate)),
    unit: 'rows/s',
    reference: median(copies.map(rate)),
    ratio: median(ratios),
    cpuUsPerRecord: median(snapshots.map(({ result }) => result.cpuUsPerRow!)),
    copyCpuUsPerRecord: median(copies.map(({ result }) => result.cpuUsPerRow!)),
    peakRssMb: Math.max(...snapshots.map(({ peakRssMb }) => peakRssMb)),
  }
}
