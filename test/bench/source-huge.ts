import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startPostgres } from '../support/servers/postgres.ts'
import type { BenchOptions, Report } from './bench.ts'
import { dropSlot, makeBigTable } from './big-table.ts'
import { median, type Run, round, runChild, sampleMs, spread } from './measure.ts'
import { printProfile } from './profile.ts'

/**
 * The memory of one transaction of ten million rows on its way into the durable log, and whether it
 * grows; beside that of a process which drains the same WAL and keeps nothing. No rate, so one
 * pair.
 */
export async function sourceHuge({ pairs = 1, scale, profile }: BenchOptions): Promise<Report> {
  const rows = Math.round(10_000_000 * scale)
  const postgres = await startPostgres({ settings: { max_replication_slots: '40' } })
  const directory = mkdtempSync(join(tmpdir(), 'millrace-bench-'))
  const { url } = postgres
  const run = async (module: string, slot: string | undefined, profile?: string) => {
    const path = join(directory, 'log')
    const run = await runChild(module, { url, rows, commits: 1, slot, path }, profile)
    rmSync(path, { recursive: true, force: true })
    await dropSlot(url, slot!)
    return run
  }
  try {
    const count = pairs * 2 + (profile ? 1 : 0)
    const slots = await makeBigTable(url, { rows, fill: 'one', slots: count })
    const drains: Run[] = []
    const sources: Run[] = []
    for (let i = 0; i < pairs; i++) {
      drains.push(await run('drain.ts', slots[2 * i]))
      sources.push(await run('source.ts', slots[2 * i + 1]))
      print(i, drains[i]!, sources[i]!)
    }
    if (profile) {
      const file = join(directory, 'source-huge.cpuprofile')
      await run('source.ts', slots.at(-1), file)
      printProfile(file, rows)
    }
    return summarize(drains, sources)
  } finally {
    await postgres.stop()
    rmSync(directory, { recursive: true, force: true })
  }
}

/** The medians of ten equal spans of time. */
function tenths(samples: readonly number[]): number[] {
  const at = (tenth: number) => Math.floor((samples.length * tenth) / 10)
  return Array.from({ length: 10 }, (_, i) =>
    median(samples.slice(at(i), Math.max(at(i) + 1, at(i + 1)))),
  )
}

/** Slope of the samples by least squares, in MB a minute, without the first fifth: it starts up. */
function slope(samples: readonly number[]): number {
  const settled = samples.slice(Math.floor(samples.length / 5))
  const middle = (settled.length - 1) / 2
  const mean = settled.reduce((sum, value) => sum + value, 0) / settled.length
  let covariance = 0
  let variance = 0
  for (const [i, value] of settled.entries()) {
    covariance += (i - middle) * (value - mean)
    variance += (i - middle) ** 2
  }
  return (covariance / variance) * (60_000 / sampleMs)
}

function print(pair: number, drain: Run, run: Run): void {
  const { result, rssMb, peakRssMb } = run
  const rates = `drain ${round(drain.result.rowsPerSecond!)}, source ${round(result.rowsPerSecond!)}`
  console.log(`pair ${pair + 1}: ${rates} rows/s, ${round(result.cpuUsPerRow!)} µs CPU a row`)
  const trend = tenths(rssMb).map((value) => value.toFixed(0))
  console.log(`  RssAnon by tenths of the run: ${trend.join(' ')} MB, peak ${round(peakRssMb)} MB`)
  console.log(`  ${round(slope(rssMb))} MB a minute once it is warm`)
}

function summarize(drains: readonly Run[], sources: readonly Run[]): Report {
  const peaks = (runs: readonly Run[]) => runs.map(({ peakRssMb }) => peakRssMb)
  const ratios = peaks(sources).map((peak, i) => peak / peaks(drains)[i]!)
  const growth = sources.map(({ rssMb }) => tenths(rssMb)[9]! / tenths(rssMb)[4]!)
  console.log(`peak ${spread(peaks(sources))} MB, drain ${spread(peaks(drains))} MB`)
  return {
    bench: 'source-huge',
    figure: Math.max(...peaks(sources)),
    unit: 'MB (peak RssAnon)',
    reference: median(peaks(drains)),
    ratio: median(ratios),
    cpuUsPerRecord: median(sources.map(({ result }) => result.cpuUsPerRow!)),
    peakRssMb: Math.max(...peaks(sources)),
    slopeMbPerMinute: median(sources.map(({ rssMb }) => slope(rssMb))),
    lastTenthToFifth: median(growth),
    rowsPerSecond: median(sources.map(({ result }) => result.rowsPerSecond!)),
    drainRowsPerSecond: median(drains.map(({ result }) => result.rowsPerSecond!)),
    peakMappedMb: Math.max(...sources.map(({ peakMappedMb }) => peakMappedMb)),
  }
}
