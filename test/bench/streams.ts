import { cpSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { startKafka } from '../support/servers/kafka.ts'
import type { Bench, BenchOptions, Report } from './bench.ts'
import { median, type Run, round, runChild, spread } from './measure.ts'
import { printProfile } from './profile.ts'

/** Orders with their customer's name. */
export const joinFk: Bench = (options) => besideCopy('join-fk', options)

/** Orders with the payment of the same key. */
export const joinTable: Bench = (options) => besideCopy('join-table', options)

/** Events counted by user and minute. */
export const countWindow: Bench = (options) => besideCopy('count-window', options)

/**
 * A topology from the log to the log with state on disk, beside a loop that reads the same records
 * and writes them to the log without any operator.
 */
async function besideCopy(work: string, options: BenchOptions): Promise<Report> {
  const { pairs = 5, scale, profile } = options
  return withLog(options, async (log) => {
    const input = { work, scale, bootstrap: log.bootstrap }
    await runChild('streams.ts', { ...input, path: log.filled, mode: 'fill' })
    const take = async (mode: string, run: number | string, file?: string) => {
      const path = log.copy()
      const done = await runChild('streams.ts', { ...input, path, mode, run }, file)
      rmSync(path, { recursive: true })
      return done
    }
    const found: Pair[] = []
    for (let i = 0; i < pairs; i++) {
      found.push({ copy: await take('copy', i), ours: await take('ours', i) })
      console.log(`pair ${i + 1}: ${show(found[i]!)}`)
    }
    if (profile) {
      const file = join(log.directory, `${work}.cpuprofile`)
      const { result } = await take('ours', 'profile', file)
      printProfile(file, result.records)
    }
    return summarize(work, found)
  })
}

interface Pair {
  readonly copy: Run
  readonly ours: Run
}

function show({ copy, ours }: Pair): string {
  const of = (run: Run) => {
    const cpu = `${round(run.result.cpuUsPerRecord!)} µs`
    return `${round(rate(run))} records/s, ${cpu}, ${round(run.peakRssMb)} MB`
  }
  return `copy ${of(copy)}; ours ${of(ours)}`
}

function rate({ result }: Pick<Run, 'result'>): number {
  return result.recordsPerSecond!
}

function summarize(work: string, pairs: readonly Pair[]): Report {
  const ours = pairs.map((pair) => pair.ours)
  const copies = pairs.map(({ copy }) => copy)
  const ratios = pairs.map(({ copy, ours }) => rate(ours) / rate(copy))
  const cpu = (runs: readonly Run[]) => median(runs.map(({ result }) => result.cpuUsPerRecord!))
  console.log(`${spread(ours.map(rate))} records/s, ratio ${spread(ratios)}`)
  return {
    ...{ bench: work, unit: 'input records/s', figure: median(ours.map(rate)) },
    ...{ reference: median(copies.map(rate)), ratio: median(ratios) },
    ...{ cpuUsPerRecord: cpu(ours), referenceCpuUsPerRecord: cpu(copies) },
    peakRssMb: Math.max(...ours.map(({ peakRssMb }) => peakRssMb)),
  }
}

export interface BenchLogs {
  readonly directory: string
  /** Where the inputs are written. */
  readonly filled: string
  readonly bootstrap: string | undefined
  /** A log that holds what was written there; on Kafka an empty directory beside its topics. */
  copy(): string
}

/** Runs on the log that the options name: a folder of its own, and Kafka's broker. */
export async function withLog<T>(
  { log }: BenchOptions,
  run: (logs: BenchLogs) => Promise<T>,
): Promise<T> {
  // Beside the program: a disk, where the temporary folder may be memory.
  const data = join(import.meta.dirname, '../../data')
  mkdirSync(data, { recursive: true })
  const directory = mkdtempSync(join(data, 'bench-'))
  const kafka = log === 'kafka' ? await startKafka() : undefined
  const filled = join(directory, 'filled')
  let copies = 0
  const copy = () => {
    const path = join(directory, `copy-${++copies}`)
    if (kafka === undefined) cpSync(filled, path, { recursive: true })
    else mkdirSync(path)
    return path
  }
  try {
    return await run({ directory, filled, bootstrap: kafka?.bootstrap, copy })
  } finally {
    await kafka?.stop()
    rmSync(directory, { recursive: true, force: true })
  }
}
