import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { setTimeout as sleep } from 'node:timers/promises'
import { file } from '../../../sinks/file/index.ts'
import { options as fileOptions } from '../../../sinks/file/options.ts'
import { sqlite } from '../../../sinks/sqlite/index.ts'
import { options as sqliteOptions } from '../../../sinks/sqlite/options.ts'
import { Meter } from '../../../src/core/meter.ts'
import type { LogRecord } from '../../../src/core/record.ts'
import { RefusalGuard } from '../../../src/core/refusal-guard.ts'
import type { Sink } from '../../../src/core/sink.ts'
import { Gate } from '../../../src/launcher/run/gate.ts'
import { type Parts, run } from '../../../src/launcher/run/pipeline.ts'
import { Progress } from '../../../src/launcher/run/progress.ts'
import { type EmbeddedLog, openEmbeddedLog } from '../../../src/log/embedded.ts'
import { decodePosition } from '../../../src/log/position.ts'
import { Topology } from '../../../src/streams/topology.ts'
import { ViewTask } from '../../../src/streams/view-task.ts'
import { type Durable, failingLog, failingSink, failingSource } from './failing.ts'
import { Faults } from './faults.ts'
import { batches, ScriptedSource, view } from './script.ts'

/** What is left when everything has come through. */
export interface Outcome {
  readonly documents: Readonly<Record<string, unknown>>
  /** Lines of the file sink: what the view has told, in order. */
  readonly lines: readonly string[]
  /** All records of all topics, in order. */
  readonly records: readonly string[]
  /** What the source has to say of how it was acknowledged. */
  readonly faults: readonly string[]
  /** Where it could have failed. */
  readonly places: readonly string[]
  readonly hasFailed: boolean
}

/** After a failure, the pump starts again in the same process, or the process does. */
export type Recovery = 'retry' | 'restart'

const topic = 'shop.orders'

/**
 * Where there is a file system in memory: nothing here loses power, so nothing need reach a disk.
 */
const memory = existsSync('/dev/shm') ? '/dev/shm' : tmpdir()
const patienceMs = 60_000

/** Runs the script through log, view and sinks, failing once at a place; none: nowhere. */
export async function runScript(at?: string, recovery: Recovery = 'retry'): Promise<Outcome> {
  const directory = mkdtempSync(join(memory, 'millrace-steps-'))
  try {
    const stop = new AbortController()
    const faults: Faults = new Faults(at, () => {
      if (recovery === 'retry') return
      faults.end()
      stop.abort()
    })
    const first = await runOnce(directory, faults, stop)
    const isCut = faults.hasFailed && recovery === 'restart'
    const second = isCut ? await runOnce(directory, new Faults(), new AbortController()) : undefined
    return {
      documents: readDocuments(directory),
      lines: readFileSync(join(directory, 'orders.ndjson'), 'utf8').trimEnd().split('\n'),
      records: (second ?? first).records,
      faults: [...first.faults, ...(second?.faults ?? [])],
      places: faults.passed,
      hasFailed: faults.hasFailed,
    }
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

async function runOnce(
  directory: string,
  faults: Faults,
  stop: AbortController,
): Promise<Pick<Outcome, 'records' | 'faults'>> {
  const log = await openEmbeddedLog({ path: join(directory, 'log') })
  const durable: Durable = new Map()
  const topology = new Topology('shop', { orders: view })
  const untilWorkedOff = (count: number) =>
    workedOff(log, durable, { topology, count }, stop.signal)
  const source = new ScriptedSource(untilWorkedOff, () => durable.get('db→log'))
  const running = run(makeParts(directory, { log, faults, durable, topology, source }), stop.signal)
  const finished = untilWorkedOff(batches.length)
  finished.catch(() => {}) // Lost to `running` if that fails first.
  try {
    await Promise.race([finished, running])
  } finally {
    stop.abort()
    await running
  }
  // A run that was cut off may have left a commit open, which no reader sees.
  const records = faults.isOver ? [] : await readRecords(log)
  await log.close()
  return { records, faults: source.faults }
}

interface Making {
  readonly log: EmbeddedLog
  readonly faults: Faults
  readonly durable: Durable
  readonly topology: Topology
  readonly source: ScriptedSource
}

function makeParts(directory: string, making: Making): Parts {
  const { log, faults, durable, topology, source } = making
  const wrap = <T>(sink: Sink<T>, pump: string) => failingSink(sink, pump, faults, durable)
  const sink = (name: string, open: () => Sink<LogRecord>) => ({
    ...{ name, topics: [topic], group: name, meter: new Meter(), progress: new Progress() },
    ...{ gate: new Gate(), errands: new Map(), guard: new RefusalGuard() },
    open: () => wrap(open(), `log→${name}`),
  })
  const context = (name: string) => ({
    ...{ pipeline: 'shop', name, topic, partition: 0, say: () => {} },
  })
  const database = sqliteOptions.parse({
    ...{ type: 'sqlite', path: join(directory, 'shop.sqlite'), search: ['customer'] },
  })
  const lines = fileOptions.parse({ type: 'file', path: join(directory, 'orders.ndjson') })
  return {
    pipeline: 'shop',
    log: failingLog(log, faults, durable),
    connectors: [
      {
        ...{ name: 'db', connector: failingSource(source, 'db→log', faults) },
        ...{ meter: new Meter(), gate: new Gate('connector') },
      },
    ],
    views: {
      ...{ name: 'views', topics: topology.topics, group: 'views' },
      ...{ meter: new Meter(), progress: new Progress() },
      open: (task) => {
        // Every document fills a transaction.
        const options = { topology, task, release: '1', now: () => 0, partBytes: 1 }
        return wrap(new ViewTask(options), 'log→views')
      },
    },
    sinks: [
      sink('local', () => sqlite.open(database, context('local'))),
      sink('file', () => file.open(lines, context('file'))),
    ],
  }
}

interface Goal {
  readonly topology: Topology
  readonly count: number
}

/**
 * Waits until so many batches are in the log and have come through to the sinks. So each batch
 * meets every pump alone, and the places where a run can fail are the same each time.
 */
async function workedOff(
  log: EmbeddedLog,
  durable: Durable,
  { topology, count }: Goal,
  signal: AbortSignal,
): Promise<void> {
  const deadline = performance.now() + patienceMs
  const isUnderWay = batches[count - 1]?.complete === false
  while (!signal.aborted) {
    if (performance.now() > deadline) throw new Error(`batch ${count} does not come through`)
    const isWritten = Number(durable.get('db→log') ?? 0) >= count
    if (isWritten && (isUnderWay || (await hasComeThrough(log, durable, topology)))) return
    await sleep(1)
  }
}

async function hasComeThrough(
  log: EmbeddedLog,
  durable: Durable,
  topology: Topology,
): Promise<boolean> {
  const { topics } = await log.describe()
  const end = (read: readonly string[]) =>
    Math.max(
      0,
      ...topics.filter((each) => read.includes(each.topic)).map((each) => Number(each.sequence)),
    )
  const reached = (pump: string) => {
    const position = durable.get(pump)
    return position === undefined ? 0 : decodePosition(position)!.sequence
  }
  if (reached('log→views') < end(topology.topics)) return false
  return ['log→local', 'log→file'].every((pump) => reached(pump) >= end([topic]))
}

async function readRecords(log: EmbeddedLog): Promise<readonly string[]> {
  const { topics } = await log.describe()
  const names = topics.map(({ topic }) => topic)
  const count = topics.reduce((sum, { partitions }) => sum + Number(partitions[0]?.end ?? 0), 0)
  const found: string[] = []
  const source = log.reader(names, 'nobody')
  for await (const { records } of source.read(undefined, new AbortController().signal)) {
    for (const { topic, offset, key, value, version, ordinal, endsCommit } of records) {
      const end = endsCommit ? ' end' : ''
      found.push(`${topic} ${offset} ${key} ${version}/${ordinal}${end} ${value}`)
    }
    if (found.length >= count) break
  }
  return found
}

function readDocuments(directory: string): Record<string, unknown> {
  const database = new DatabaseSync(join(directory, 'shop.sqlite'), { readOnly: true })
  try {
    const rows = database.prepare('SELECT id, doc FROM orders').all()
    return Object.fromEntries(rows.map(({ id, doc }) => [String(id), JSON.parse(String(doc))]))
  } finally {
    database.close()
  }
}
