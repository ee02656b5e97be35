import '../../../src/core/small-heap.ts'
import type { Log } from '../../../src/core/log.ts'
import { Meter } from '../../../src/core/meter.ts'
import { pump } from '../../../src/core/pump.ts'
import type { Position } from '../../../src/core/source.ts'
import type { EmbeddedLog } from '../../../src/log/embedded.ts'
import { getJson } from '../../../src/log/environment.ts'
import { LocalState } from '../../../src/log/kafka/local-state.ts'
import { StagedStore } from '../../../src/log/staged-store.ts'
import { FlowGraph } from '../../../src/streams/flow-graph.ts'
import { State } from '../../../src/streams/state.ts'
import { StreamTask } from '../../../src/streams/stream-task.ts'
import { StreamTopology } from '../../../src/streams/stream-topology.ts'
import { percentile } from '../measure.ts'
import { openBenchLog } from './bench-log.ts'
import { finish } from './finish.ts'
import { recordOf, workloads } from './workloads.ts'

/*
 * What becomes of a large state: events counted by user, each user's count an entry.
 *
 *   run    reads `records` more, and says when the first of them was durable
 *   add    writes one more event
 *   void   forgets the state, so that the next run makes it anew
 *   get    asks for counts
 */
const { does, scale, records, ...place } = JSON.parse(process.argv[2]!)
const { inputs, definition } = workloads.count!(scale)
const [input] = inputs
const topology = new StreamTopology('bench', definition('counted'))
const group = 'bench.count'
const runs = { run, add, void: outdate, get }
finish(await runs[does as keyof typeof runs]())

async function run() {
  const log = await openBenchLog(place)
  const stop = new AbortController()
  const meter = new Meter()
  for await (const { source, task } of log.assignments([input!.topic], group, stop.signal)) {
    const sink = new StreamTask({ topology, pipeline: 'bench', task: task(group), release: '0' })
    const beganAt = performance.now()
    const running = pump({ source, sink, deadLetters: async () => {}, meter }, stop.signal)
    const until = async (count: number) => {
      while (meter.records < count) {
        await Promise.race([running, new Promise((resolve) => setTimeout(resolve, 1))])
      }
      return performance.now()
    }
    // `performance` counts from the start of the process.
    const firstMs = await until(1)
    const seconds = ((await until(records)) - beganAt) / 1000
    stop.abort()
    await running
    await log.close()
    return { firstMs, resumedMs: firstMs - beganAt, seconds, recordsPerSecond: records / seconds }
  }
  throw new Error('nothing was assigned')
}

async function add() {
  const log = await openBenchLog(place)
  const writer = log.writer('fill')
  await writer.resume('fill')
  const version = BigInt(input!.count * 2)
  const position = 'end' as Position
  const record = { ...recordOf(input!, 1), version, ordinal: 0, endsCommit: true }
  await writer.write({ records: [record], position, complete: true })
  await writer.commit({ source: 'fill', position, timestamp: 0 })
  await log.close()
  return {}
}

/** On Kafka, what lies beside it is deleted instead. */
async function outdate() {
  const log = await openBenchLog(place)
  const task = (log as unknown as EmbeddedLog).environment
  const stored = new StagedStore(task.state, getJson<number>(task.meta, `task/${group}`)!)
  new State(stored).start('', new Set())
  await task.root.batch(() => stored.queue())
  await log.close()
  return {}
}

/** As HTTP asks: of the durable state, which nobody keeps in memory. */
async function get() {
  const { store, close } = await openStore()
  const graph = new FlowGraph(topology, new State(store, 0), {
    ...{ emission: 'perCommit', write: () => {}, readsChanges: true },
  })
  const counts = graph.store('counts')!
  const times: number[] = []
  let key = 0
  for (let i = 0; i < 250_000; i++) {
    key = (key + 7_919_317) % input!.count
    const beganAt = performance.now()
    const count = counts.get(key)
    const micros = (performance.now() - beganAt) * 1000
    if (count === null) throw new Error(`there is no count of ${key}`)
    if (i >= 50_000) times.push(micros)
  }
  await close()
  return { p50Us: percentile(times, 0.5), p99Us: percentile(times, 0.99) }
}

async function openStore() {
  if (place.bootstrap !== undefined) {
    const local = new LocalState(place.path)
    const store = new StagedStore(local.state, local.copyOf(`${group}/0`).id)
    return { store, close: () => local.close() }
  }
  const log: Log = await openBenchLog(place)
  const { state, meta } = (log as unknown as EmbeddedLog).environment
  const store = new StagedStore(state, getJson<number>(meta, `task/${group}`)!)
  return { store, close: () => log.close() }
}
