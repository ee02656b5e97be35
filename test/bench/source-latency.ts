import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { execute, startPostgres } from '../support/servers/postgres.ts'
import type { BenchOptions, Report } from './bench.ts'
import { dropSlot } from './big-table.ts'
import { median, percentile, round, runChild, spread, startChild } from './measure.ts'
import { printProfile } from './profile.ts'

const perSecond = 1_000
/** Below this the schedule was not kept, and the latencies mean nothing. */
const leastPerSecond = 990
/** Seconds before anything is timed, so that everything is warm. */
const warmSeconds = 3

const schema = `CREATE TABLE orders (
  id bigint PRIMARY KEY, customer_id int, status text, total numeric(12,2), placed_at timestamptz)`

interface Latency {
  readonly p50: number
  readonly p99: number
}

interface Pair {
  readonly disk: Latency
  /** From COMMIT's return to the moment at which a reader of the topic has the row. */
  readonly topic: Latency
  /** The same from the moment at which the transaction was sent to the server. */
  readonly whole: Latency
  readonly perSecond: number
  readonly cpuUs: number
  readonly peakRssMb: number
}

/**
 * 1,000 transactions a second on a fixed schedule: from COMMIT's return to the moment at which the
 * row is durable in the topic, beside a bare loop of write and sync on the same disk.
 */
export async function sourceLatency({ pairs = 5, scale, profile }: BenchOptions): Promise<Report> {
  const seconds = Math.max(2, Math.round(12 * scale))
  const postgres = await startPostgres()
  const directory = mkdtempSync(join(tmpdir(), 'millrace-bench-'))
  const load = { url: postgres.url, directory, seconds }
  try {
    await execute(postgres.url, schema)
    const runs: Pair[] = []
    for (let i = 0; i < pairs; i++) {
      const page = { path: join(directory, 'page'), count: 2000 }
      const { result } = await runChild('fsync.ts', page)
      const disk = { p50: result.p50Ms!, p99: result.p99Ms! }
      runs.push({ disk, ...(await measure({ ...load, slot: `bench_${i}` })) })
      print(i, runs[i]!)
    }
    if (profile) {
      const file = join(directory, 'source-latency.cpuprofile')
      await measure({ ...load, slot: 'bench_profile', profile: file })
      printProfile(file, (warmSeconds + seconds) * perSecond)
    }
    return summarize(runs)
  } finally {
    await postgres.stop()
    rmSync(directory, { recursive: true, force: true })
  }
}

interface Load {
  readonly url: string
  readonly directory: string
  readonly seconds: number
  readonly slot: string
  readonly profile?: string
}

async function measure({ url, directory, seconds, slot, profile }: Load) {
  await execute(url, 'TRUNCATE orders')
  const warm = warmSeconds * perSecond
  const count = warm + seconds * perSecond
  const path = join(directory, slot)
  const reader = await startChild('latency.ts', { url, slot, path, count, warm }, { profile })
  const input = { url, firstId: 0, count, perSecond, connections: 8 }
  const writer = await startChild('writer.ts', input, { saysReady: false })
  const written = (await writer.result()) as {
    readonly perSecond: number
    readonly sent: readonly number[]
    readonly returned: readonly number[]
  }
  const { seen, cpuUsPerRecord } = (await reader.result()) as {
    readonly seen: readonly number[]
    readonly cpuUsPerRecord: number
  }
  await dropSlot(url, slot)
  rmSync(path, { recursive: true })
  const since = (times: readonly number[]): Latency => {
    const latencies = seen.map((at, i) => at - times[i]!).slice(warm)
    return { p50: percentile(latencies, 0.5), p99: percentile(latencies, 0.99) }
  }
  return {
    ...{ topic: since(written.returned), whole: since(written.sent) },
    ...{ perSecond: written.perSecond, cpuUs: cpuUsPerRecord },
    peakRssMb: reader.memory().peakRssMb,
  }
}

function print(pair: number, { disk, topic, whole, perSecond, cpuUs }: Pair): void {
  const show = ({ p50, p99 }: Latency) => `p50 ${round(p50)} p99 ${round(p99)} ms`
  const rate = `${round(perSecond)}/s${perSecond < leastPerSecond ? ' INVALID' : ''}`
  console.log(
    `pair ${pair + 1}: from COMMIT's return ${show(topic)}, from its sending ${show(whole)}, ` +
      `disk ${show(disk)}, ${rate}, ${round(cpuUs)} µs CPU a record`,
  )
}

function summarize(runs: readonly Pair[]): Report {
  const valid = runs.filter(({ perSecond }) => perSecond >= leastPerSecond)
  if (valid.length === 0) console.log(`INVALID: no pair kept ${leastPerSecond} transactions/s`)
  const of = (pick: (pair: Pair) => number) => median(valid.map(pick))
  const p99s = valid.map(({ topic }) => topic.p99)
  console.log(`p99 ${spread(p99s)} ms in ${valid.length} valid pairs of ${runs.length}`)
  return {
    bench: 'source-latency',
    figure: of(({ topic }) => topic.p99),
    unit: 'ms (p99 from COMMIT to durable in the topic)',
    reference: of(({ disk }) => disk.p99),
    ratio: median(valid.map(({ topic, disk }) => topic.p99 / disk.p99)),
    cpuUsPerRecord: of(({ cpuUs }) => cpuUs),
    peakRssMb: Math.max(...runs.map(({ peakRssMb }) => peakRssMb)),
    p50Ms: of(({ topic }) => topic.p50),
    p99Ms: of(({ topic }) => topic.p99),
    sentP50Ms: of(({ whole }) => whole.p50),
    sentP99Ms: of(({ whole }) => whole.p99),
    diskP50Ms: of(({ disk }) => disk.p50),
    transactionsPerSecond: of(({ perSecond }) => perSecond),
    validPairs: valid.length,
  }
}
