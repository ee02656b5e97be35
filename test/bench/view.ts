import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { BenchOptions, Report } from './bench.ts'
import { median, type Run, round, runChild, spread } from './measure.ts'
import { printProfile } from './profile.ts'

/**
 * A foreign-key join: 200,000 orders, each in a commit of ten, of 10,000 customers, from the log to
 * the log with state on disk, beside a loop that reads the same records and writes them to the log
 * without any operator.
 */
export async function view({ pairs = 5, scale, profile }: BenchOptions): Promise<Report> {
  const directory = mkdtempSync(join(tmpdir(), 'millrace-bench-'))
  const input = { orders: Math.round(200_000 * scale), customers: 10_000, perCommit: 10 }
  try {
    const copies: Run[] = []
    const joins: Run[] = []
    for (let i = 0; i < pairs; i++) {
      const path = join(directory, String(i))
      copies.push(await runChild('view.ts', { ...input, path, mode: 'copy' }))
      rmSync(path, { recursive: true })
      joins.push(await runChild('view.ts', { ...input, path, mode: 'join' }))
      rmSync(path, { recursive: true })
      print(i, copies[i]!, joins[i]!)
    }
    if (profile) {
      const file = join(directory, 'view.cpuprofile')
      const path = join(directory, 'profiled')
      await runChild('view.ts', { ...input, path, mode: 'join' }, file)
      printProfile(file)
    }
    return summarize(copies, joins)
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

function rate({ result }: Run): number {
  return result.recordsPerSecond!
}

function print(pair: number, copy: Run, join: Run): void {
  const cpu = `${round(join.result.cpuUsPerRecord!)} µs CPU a record`
  const rates = `copy ${round(rate(copy))} records/s, join ${round(rate(join))} records/s`
  console.log(`pair ${pair + 1}: ${rates}, ${cpu}, peak ${round(join.peakRssMb)} MB`)
}

function summarize(copies: readonly Run[], joins: readonly Run[]): Report {
  const ratios = joins.map((join, i) => rate(join) / rate(copies[i]!))
  console.log(`join ${spread(joins.map(rate))} records/s, ratio ${spread(ratios)}`)
  return {
    bench: 'view',
    figure: median(joins.map(rate)),
    unit: 'input records/s',
    reference: median(copies.map(rate)),
    ratio: median(ratios),
    cpuUsPerRecord: median(joins.map(({ result }) => result.cpuUsPerRecord!)),
    peakRssMb: Math.max(...joins.map(({ peakRssMb }) => peakRssMb)),
  }
}
