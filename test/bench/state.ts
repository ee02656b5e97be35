import { rmSync } from 'node:fs'
import type { BenchOptions, Report } from './bench.ts'
import { median, type Run, round, runChild } from './measure.ts'
import { type BenchLogs, withLog } from './streams.ts'

const keys = 2_000_000

/**
 * A start with two million keys of state, from the start of the process until the next event's
 * result is durable; and the same once the state is gone: then it is made again from the log.
 */
export async function restart(options: BenchOptions): Promise<Report> {
  const { pairs = 3, scale } = options
  return withLog(options, async (log) => {
    const { take, path } = await build(log, scale)
    const kept: Run[] = []
    for (let i = 0; i < pairs; i++) {
      await take('add')
      kept.push(await take('run', 1))
      console.log(`start ${i + 1}: first output after ${round(kept[i]!.result.firstMs!)} ms`)
    }
    if (log.bootstrap === undefined) await take('void')
    else rmSync(path, { recursive: true })
    await take('add')
    const again = log.bootstrap === undefined ? Math.round(keys * scale) + pairs + 1 : 1
    const remade = await take('run', again)
    const rate = (log.bootstrap === undefined ? again : keys * scale) / remade.result.seconds!
    return {
      ...{ bench: 'restart', unit: 'ms from the start of the process to the first output' },
      figure: median(kept.map(({ result }) => result.firstMs!)),
      ...{ reference: 1_000, ratio: median(kept.map(({ result }) => result.firstMs!)) / 1_000 },
      cpuUsPerRecord: 0,
      peakRssMb: Math.max(...[...kept, remade].map(({ peakRssMb }) => peakRssMb)),
      remadePerSecond: rate,
    }
  })
}

/** One of two million counts by its key, in the process that has them. */
export async function get(options: BenchOptions): Promise<Report> {
  const { pairs = 3, scale } = options
  return withLog(options, async (log) => {
    const { take } = await build(log, scale)
    const found: Run[] = []
    for (let i = 0; i < pairs; i++) {
      found.push(await take('get'))
      console.log(JSON.stringify(found[i]!.result))
    }
    const [p50, p99] = ['p50Us', 'p99Us'].map((name) =>
      median(found.map(({ result }) => result[name]!)),
    ) as [number, number]
    return {
      ...{ bench: 'get', unit: 'µs at p99', figure: p99, p50Us: p50, p99Us: p99 },
      ...{ reference: 40, ratio: p99 / 40, cpuUsPerRecord: 0 },
      peakRssMb: Math.max(...found.map(({ peakRssMb }) => peakRssMb)),
    }
  })
}

/** A log with the events, and all of them counted. */
async function build({ filled: path, bootstrap }: BenchLogs, scale: number) {
  const input = { scale, path, bootstrap }
  await runChild('streams.ts', { ...input, work: 'count', mode: 'fill' })
  const take = (does: string, records = 0) => runChild('state.ts', { ...input, does, records })
  await take('run', Math.round(keys * scale))
  return { take, path }
}
