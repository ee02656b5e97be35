import '../../../src/core/small-heap.ts'
import type { Task } from '../../../src/core/log.ts'
import { Meter } from '../../../src/core/meter.ts'
import { pump } from '../../../src/core/pump.ts'
import type { LogRecord, NewRecord } from '../../../src/core/record.ts'
import type { Sink } from '../../../src/core/sink.ts'
import type { Position } from '../../../src/core/source.ts'
import { StreamTask } from '../../../src/streams/stream-task.ts'
import { StreamTopology } from '../../../src/streams/stream-topology.ts'
import { cpuMicros } from '../measure.ts'
import { openBenchLog } from './bench-log.ts'
import { finish } from './finish.ts'
import { type Input, perCommit, recordOf, workloads } from './workloads.ts'

/*
 * The inputs of a workload written to a log (`fill`), and read from it to a topic of the same log:
 * by the topology, or by the loop that writes what it reads (`copy`).
 */
const { work, scale, mode, run, ...place } = JSON.parse(process.argv[2]!)
const { inputs, definition } = workloads[work]!(scale)
const log = await openBenchLog(place)
finish(mode === 'fill' ? await fill() : await measure())

async function fill() {
  const writer = log.writer('fill')
  await writer.resume('fill')
  let version = 0n
  for (const input of inputs) {
    await write(writer, input, version)
    version += BigInt(Math.ceil(input.count / perCommit))
  }
  await log.close()
  return {}
}

async function write(writer: Sink<NewRecord>, input: Input, before: bigint): Promise<void> {
  const position = 'end' as Position
  for (let at = 0; at < input.count; at += 5_000) {
    const length = Math.min(5_000, input.count - at)
    const records = Array.from({ length }, (_, i) => {
      const record = recordOf(input, at + i)
      return { ...record, version: before + record.version }
    })
    await writer.write({ records, position, complete: true })
    await writer.commit({ source: 'fill', position, timestamp: 0 })
  }
}

async function measure() {
  const stop = new AbortController()
  const meter = new Meter()
  const total = inputs.reduce((sum, { count }) => sum + count, 0)
  const topics = inputs.map(({ topic }) => topic)
  const name = `${work}-${mode}-${run}`
  for await (const { source, task } of log.assignments(topics, name, stop.signal)) {
    const sink = mode === 'copy' ? copying(task(name), name) : working(task(name), name)
    const cpu = process.cpuUsage()
    const start = performance.now()
    const running = pump({ source, sink, deadLetters: async () => {}, meter }, stop.signal)
    while (meter.records < total) {
      await Promise.race([running, new Promise((resolve) => setTimeout(resolve, 2))])
    }
    const seconds = (performance.now() - start) / 1000
    return {
      records: total,
      recordsPerSecond: total / seconds,
      cpuUsPerRecord: cpuMicros(cpu) / total,
    }
  }
  throw new Error('nothing was assigned')
}

function working(task: Task, output: string): Sink<LogRecord> {
  const topology = new StreamTopology('bench', definition(output))
  return new StreamTask({ topology, pipeline: 'bench', task, release: '0' })
}

/** What any topology costs at least: every record read is written again. */
function copying(task: Task, output: string): Sink<LogRecord> {
  return {
    resume: (source) => task.resume(source),
    clear: (source) => task.clear(source),
    write: ({ records, position, complete }) => {
      const copies = records.map((record): NewRecord => ({ ...record, topic: output }))
      return task.write({ records: copies, position, complete })
    },
    commit: (checkpoint) => task.commit(checkpoint),
    close: () => task.close(),
  }
}
