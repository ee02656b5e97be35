import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import type { BenchOptions, Report } from './bench.ts'
import { median, round, runChild } from './measure.ts'

/**
 * The embedded log beside the bare store: a million records of 300 bytes appended in durable
 * batches of a thousand, read again, and appended while the topic is compacted; and how long a log
 * with fifty million records takes to open.
 */
export async function log({ pairs = 5, scale }: BenchOptions): Promise<Report> {
  // Beside the program: a disk, where the temporary folder may be memory.
  const data = join(import.meta.dirname, '../../data')
  mkdirSync(data, { recursive: true })
  const directory = mkdtempSync(join(data, 'bench-'))
  try {
    const count = Math.ceil((1_000_000 * scale) / 1_000) * 1_000
    const measured: Pair[] = []
    for (let i = 0; i < pairs; i++) {
      measured.push(await pair(join(directory, String(i)), count))
      console.log(JSON.stringify(roundAll(measured[i]!)))
    }
    const many = Math.ceil((50_000_000 * scale) / 20_000) * 20_000
    await run('fill', join(directory, 'many'), many)
    const { openMs, records } = await run('open', join(directory, 'many'), many)
    return { ...summarize(measured), openMs, openedRecords: records }
  } finally {
    rmSync(directory, { recursive: true })
  }
}

interface Pair {
  readonly append: number
  readonly bareAppend: number
  readonly read: number
  readonly bareScan: number
  readonly updated: number
  readonly updatedCleaned: number
  readonly cpuUs: number
  readonly readCpuUs: number
  readonly peakRssMb: number
  readonly longestMs: number
  readonly longestCleanedMs: number
  readonly megabytes: number
  readonly megabytesCleaned: number
}

async function pair(path: string, count: number): Promise<Pair> {
  const append = await runChild('log.ts', { does: 'append', path, count })
  const bare = await run('copyBlocks', path, count)
  const read = await run('read', path, count)
  const scan = await run('scan', path, count)
  const plain = await run('update', `${path}-plain`, count)
  const cleaned = await run('updateCleaned', `${path}-cleaned`, count)
  for (const suffix of ['', '-copy', '-entries', '-plain', '-cleaned']) {
    rmSync(`${path}${suffix}`, { recursive: true })
  }
  return {
    ...{ append: append.result.perSecond!, bareAppend: bare.perSecond! },
    ...{ read: read.perSecond!, bareScan: scan.perSecond! },
    ...{ updated: plain.perSecond!, updatedCleaned: cleaned.perSecond! },
    ...{ cpuUs: append.result.cpuUs!, readCpuUs: read.cpuUs!, peakRssMb: append.peakRssMb },
    ...{ longestMs: plain.longestMs!, longestCleanedMs: cleaned.longestMs! },
    ...{ megabytes: plain.megabytes!, megabytesCleaned: cleaned.megabytes! },
  }
}

async function run(does: string, path: string, count: number) {
  return (await runChild('log.ts', { does, path, count })).result
}

function summarize(pairs: readonly Pair[]): Report {
  const of = (what: (pair: Pair) => number) => median(pairs.map(what))
  return {
    bench: 'log',
    figure: of(({ append }) => append),
    unit: 'records/s appended, in durable batches of 1,000',
    reference: of(({ bareAppend }) => bareAppend),
    ratio: of(({ append, bareAppend }) => append / bareAppend),
    cpuUsPerRecord: of(({ cpuUs }) => cpuUs),
    peakRssMb: of(({ peakRssMb }) => peakRssMb),
    read: of(({ read }) => read),
    bareScan: of(({ bareScan }) => bareScan),
    readRatio: of(({ read, bareScan }) => read / bareScan),
    readCpuUs: of(({ readCpuUs }) => readCpuUs),
    cleaningRatio: of(({ updated, updatedCleaned }) => updatedCleaned / updated),
    longestCommitMs: of(({ longestMs }) => longestMs),
    longestCommitCleaningMs: of(({ longestCleanedMs }) => longestCleanedMs),
    sizeRatio: of(({ megabytes, megabytesCleaned }) => megabytesCleaned / megabytes),
  }
}

function roundAll(pair: Pair) {
  return Object.fromEntries(Object.entries(pair).map(([name, value]) => [name, round(value)]))
}
