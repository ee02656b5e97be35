import { startKafka } from '../support/servers/kafka.ts'
import type { Bench, BenchOptions, Report } from './bench.ts'
import { median, type Run, round, runChild, spread } from './measure.ts'

/** Prepared records → Kafka, exactly once, beside the bare client's transactions. */
export const kafkaSource: Bench = (options) =>
  besideBare('kafka-source', options, async (bootstrap, pair, mode) => {
    const topic = `write-${pair}-${mode}`
    return runChild('kafka-write.ts', { ...work(options), bootstrap, topic, mode })
  })

/** What was written, read with read_committed, beside the bare client. */
export const kafkaSink: Bench = (options) =>
  besideBare('kafka-sink', options, async (bootstrap, pair, mode) => {
    const topic = `read-${pair}`
    if (mode === 'bare') {
      await runChild('kafka-write.ts', { ...work(options), bootstrap, topic, mode: 'ours' })
    }
    return runChild('kafka-read.ts', { ...work(options), bootstrap, topic, mode })
  })

/** How far apart transactions begin, so that both have the same. */
const everyMs = 10

/**
 * When it was due → seen with read_committed, at 1,000 commits a second, beside the bare client at
 * the same interval of transactions; and ours as it is, without an interval.
 */
export async function kafkaLatency({ scale, pairs = 3 }: BenchOptions): Promise<Report> {
  const kafka = await startKafka()
  try {
    const found = { bare: [] as Run[], ours: [] as Run[], free: [] as Run[] }
    const records = Math.round(20_000 * scale)
    const input = { bootstrap: kafka.bootstrap, perSecond: 1_000, records }
    for (let i = 0; i < pairs; i++) {
      for (const who of ['bare', 'ours', 'free'] as const) {
        const mode = who === 'bare' ? 'bare' : 'ours'
        const more = { topic: `latency-${who}-${i}`, mode, everyMs: who === 'free' ? 0 : everyMs }
        const run = await runChild('kafka-latency.ts', { ...input, ...more })
        console.log(`${who} ${i + 1}: ${JSON.stringify(run.result)}`)
        found[who].push(run)
      }
    }
    const of = (who: keyof typeof found, name: string) =>
      median(found[who].map(({ result }) => result[name]!))
    return {
      ...{ bench: 'kafka-latency', unit: 'ms', figure: of('ours', 'p50Ms') },
      reference: of('bare', 'p50Ms'),
      ratio: of('ours', 'p50Ms') / of('bare', 'p50Ms'),
      cpuUsPerRecord: of('ours', 'cpuUsPerRecord'),
      ...{ p50Ms: of('ours', 'p50Ms'), p99Ms: of('ours', 'p99Ms') },
      ...{ intervalMs: of('ours', 'intervalMs'), bareIntervalMs: of('bare', 'intervalMs') },
      bareP99Ms: of('bare', 'p99Ms'),
      ...{ freeP50Ms: of('free', 'p50Ms'), freeP99Ms: of('free', 'p99Ms') },
      freeIntervalMs: of('free', 'intervalMs'),
      peakRssMb: Math.max(...found.ours.map(({ peakRssMb }) => peakRssMb)),
    }
  } finally {
    await kafka.stop()
  }
}

function work({ scale }: BenchOptions) {
  return { records: Math.round(1_000_000 * scale) }
}

async function besideBare(
  bench: string,
  { pairs = 5 }: BenchOptions,
  run: (bootstrap: string, pair: number, mode: 'bare' | 'ours') => Promise<Run>,
): Promise<Report> {
  const kafka = await startKafka()
  try {
    const found: { bare: Run; ours: Run }[] = []
    for (let i = 0; i < pairs; i++) {
      const bare = await run(kafka.bootstrap, i, 'bare')
      const ours = await run(kafka.bootstrap, i, 'ours')
      found.push({ bare, ours })
      const show = ({ result }: Run) =>
        `${Math.round(result.perSecond!)}/s, ${round(result.cpuUsPerRecord!)} µs`
      console.log(`pair ${i + 1}: bare ${show(bare)}; ours ${show(ours)}`)
    }
    const of = (who: 'bare' | 'ours', name: string) => found.map((pair) => pair[who].result[name]!)
    const ratios = found.map(({ bare, ours }) => ours.result.perSecond! / bare.result.perSecond!)
    console.log(`ours ${spread(of('ours', 'perSecond'))} records/s, ratio ${spread(ratios)}`)
    return {
      ...{ bench, unit: 'records/s', figure: median(of('ours', 'perSecond')) },
      ...{ reference: median(of('bare', 'perSecond')), ratio: median(ratios) },
      cpuUsPerRecord: median(of('ours', 'cpuUsPerRecord')),
      referenceCpuUsPerRecord: median(of('bare', 'cpuUsPerRecord')),
      peakRssMb: Math.max(...found.map(({ ours }) => ours.peakRssMb)),
    }
  } finally {
    await kafka.stop()
  }
}
