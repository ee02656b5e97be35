import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startPostgres } from '../support/servers/postgres.ts'
import type { BenchOptions, Report } from './bench.ts'
import { type BigTable, makeBigTable } from './big-table.ts'
import { median, type Run, round, runChild, spread } from './measure.ts'
import { printProfile } from './profile.ts'

/**
 * One transaction of a million rows from the WAL into the durable embedded log, beside a raw socket
 * that drains the same WAL, skipping CopyData by length and sending the same acknowledgements.
 */
export const source = (options: BenchOptions) =>
  measure({ bench: 'source', rows: 1_000_000, fill: 'one' }, options)

/** The same for 300,000 transactions of one row. */
export const sourceSmall = (options: BenchOptions) =>
  measure({ bench: 'source-small', rows: 300_000, fill: 'each' }, options)

interface Shape extends Pick<BigTable, 'rows' | 'fill'> {
  readonly bench: string
}

async function measure(shape: Shape, { pairs = 5, scale, profile }: BenchOptions): Promise<Report> {
  const { bench, fill } = shape
  const rows = Math.round(shape.rows * scale)
  const postgres = await startPostgres({ settings: { max_replication_slots: '40' } })
  const directory = mkdtempSync(join(tmpdir(), 'millrace-bench-'))
  const common = { url: postgres.url, rows, commits: fill === 'one' ? 1 : rows }
  const run = async (slot: string | undefined, profile?: string) => {
    const path = join(directory, 'log')
    const run = await runChild('source.ts', { ...common, slot, path }, profile)
    rmSync(path, { recursive: true })
    return run
  }
  try {
    const slots = await makeBigTable(postgres.url, { rows, fill, slots: pairs * 2 + 1 })
    const drains: Run[] = []
    const sources: Run[] = []
    for (let i = 0; i < pairs; i++) {
      drains.push(await runChild('drain.ts', { ...common, slot: slots[2 * i] }))
      sources.push(await run(slots[2 * i + 1]))
      print(i, drains[i]!, sources[i]!)
    }
    if (profile) {
      const file = join(directory, `${bench}.cpuprofile`)
      await run(slots.at(-1), file)
      printProfile(file, rows)
    }
    return summarize(bench, drains, sources)
  } finally {
    await postgres.stop()
    rmSync(directory, { recursive: true, force: true })
  }
}

function print(pair: number, drain: Run, run: Run): void {
  const rate = (run: Run) => `${round(run.result.rowsPerSecond!)} rows/s`
  const cpu = `${round(run.result.cpuUsPerRow!)} µs CPU a row, peak ${round(run.peakRssMb)} MB`
  console.log(`pair ${pair + 1}: drain ${rate(drain)}, source ${rate(run)}, ${cpu}`)
}

function summarize(bench: string, drains: readonly Run[], sources: readonly Run[]): Report {
  const rates = (runs: readonly Run[]) => runs.map(({ result }) => result.rowsPerSecond!)
  const ratios = rates(sources).map((rate, i) => rate / rates(drains)[i]!)
  console.log(`source ${spread(rates(sources))} rows/s, drain ${spread(rates(drains))} rows/s`)
  console.log(
    `ratio ${spread(ratios)}, mapped pages ${round(Math.max(...sources.map((r) => r.peakMappedMb)))} MB`,
  )
  return {
    bench,
    figure: median(rates(sources)),
    unit: 'rows/s',
    reference: median(rates(drains)),
    ratio: median(ratios),
    cpuUsPerRecord: median(sources.map(({ result }) => result.cpuUsPerRow!)),
    drainCpuUsPerRecord: median(drains.map(({ result }) => result.cpuUsPerRow!)),
    peakRssMb: Math.max(...sources.map(({ peakRssMb }) => peakRssMb)),
  }
}
