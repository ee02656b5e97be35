import { gatherBatches } from '../../../src/core/gather.ts'
import { Meter } from '../../../src/core/meter.ts'
import type { SinkContext } from '../../../src/core/plugin.ts'
import { pump } from '../../../src/core/pump.ts'
import { supervise } from '../../../src/core/supervise.ts'
import { registry } from '../../../src/launcher/config/registry.ts'
import { openEmbeddedLog } from '../../../src/log/embedded.ts'
import { Load, type LoadOptions, topic } from './load.ts'

/** All of it survives JSON, so that the work may be done in another process. */
export interface WorkOptions extends LoadOptions {
  readonly type: string
  readonly options: Readonly<Record<string, unknown>>
  readonly place: Omit<SinkContext, 'say' | 'topic' | 'partition'>
  /** Of the log. */
  readonly directory: string
}

/** How far the work is. */
export interface Report {
  readonly meter: Pick<Meter, 'state' | 'reason' | 'records' | 'dead' | 'retries'> &
    Pick<Meter, 'applied' | 'stale' | 'coalesced' | 'filtered'>
  readonly written: number
  readonly odd: number
  readonly said: readonly string[]
  /** JSON by id. */
  readonly expected: readonly (readonly [string, string])[]
}

/** Whoever does the work, here or in another process. */
export interface Worker {
  readonly pid: number
  report(): Promise<Report>
  endLoad(): Promise<void>
  /** Throws if the work has failed. */
  close(): Promise<void>
}

/** A load of changes on a log of its own, and the sink that carries them into the target. */
export async function beginWork(options: WorkOptions): Promise<Worker> {
  const { type, place, directory } = options
  const plugin = registry.sinks.find((sink) => sink.type === type)!
  const said: string[] = []
  const say = (line: string) => void said.push(line)
  const context = { ...place, topic, partition: 0, say }
  const sink = plugin.open(plugin.options.parse(options.options), context)
  const log = await openEmbeddedLog({ path: directory })
  const load = new Load(log, options)
  const meter = new Meter()
  const stop = new AbortController()
  const stopLoad = new AbortController()
  const deadLetters = async () => {}
  const pipe = { source: log.reader([topic], ''), sink, deadLetters, meter, idleMs: 300 }
  const work = (signal: AbortSignal) => pump({ ...pipe, gathering: gatherBatches }, signal)
  const loading = load.run(stopLoad.signal)
  const running = Promise.all([supervise(work, meter, stop.signal), loading])
  running.catch(() => {}) // Thrown by `close`.
  return {
    pid: process.pid,
    async report() {
      const { written, odd, expected } = load
      return { meter: { ...meter }, written, odd, said: [...said], expected: [...expected] }
    },
    async endLoad() {
      stopLoad.abort()
      await loading
    },
    async close() {
      stopLoad.abort()
      stop.abort()
      try {
        await running
      } finally {
        await sink.close()
        await log.close()
      }
    },
  }
}
