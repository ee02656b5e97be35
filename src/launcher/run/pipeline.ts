import { describeError, kindOf } from '../../core/errors.ts'
import { gatherBatches } from '../../core/gather.ts'
import type { Assignment, Log, Task } from '../../core/log.ts'
import type { Meter } from '../../core/meter.ts'
import type { Connector } from '../../core/plugin.ts'
import { pump } from '../../core/pump.ts'
import type { LogRecord, NewRecord } from '../../core/record.ts'
import type { RefusalGuard } from '../../core/refusal-guard.ts'
import type { Reindexing } from '../../core/reindexing.ts'
import type { Sink } from '../../core/sink.ts'
import { supervise } from '../../core/supervise.ts'
import type { StreamTopology } from '../../streams/stream-topology.ts'
import type { Errands } from './errands.ts'
import type { Gate } from './gate.ts'
import { announce, type Progress } from './progress.ts'

/** A pipeline ready to run. It is plain data: a test may put something between two parts. */
export interface Parts {
  readonly pipeline: string
  readonly log: Log
  readonly connectors: readonly ConnectorPart[]
  readonly views: ViewsPart | undefined
  readonly streams?: readonly StreamPart[]
  readonly sinks: readonly SinkPart[]
}

interface Part {
  readonly name: string
  readonly meter: Meter
}

export interface ConnectorPart extends Part {
  readonly connector: Connector
  /** Where an operator stops it. */
  readonly gate: Gate<NewRecord>
}

/** Reads topics of the log on behalf of a group. */
interface Reading extends Part {
  readonly topics: readonly string[]
  readonly group: string
  readonly progress: Progress
}

/** All views: one task, so that a view over a view and a table sees one moment. */
export interface ViewsPart extends Reading {
  readonly open: (task: Task, partition: number) => Sink<LogRecord>
}

/** A topology of streams. */
export interface StreamPart extends ViewsPart {
  readonly topology: StreamTopology
  /** Runs beside it: lets time go on. */
  readonly beside: (signal: AbortSignal) => Promise<void>
}

export interface SinkPart extends Reading {
  /** Where an operator stops it. */
  readonly gate: Gate
  /** What an operator has it write. */
  readonly errands: Errands
  readonly guard: RefusalGuard
  readonly open: (partition: number) => Sink<LogRecord>
  /** Fills a new target beside the one that serves, if this type of sink can. */
  readonly reindexing?: (() => Reindexing) | undefined
}

/**
 * Everything the program does: each part runs on its own, and they meet only in the log.
 *
 * Resolves when all parts have ended: after `signal` aborted, or one by one as they failed; their
 * meters say why. Rejects at once if a part fails for a reason that has no name, which is a bug.
 */
export async function run(parts: Parts, signal: AbortSignal): Promise<void> {
  const { log, connectors, views, streams = [], sinks } = parts
  const broken = new AbortController()
  const either = AbortSignal.any([signal, broken.signal])
  try {
    await Promise.all([
      ...connectors.map((part) => alone(part, connect(parts, part, either))),
      ...(views === undefined ? [] : [alone(views, view(log, views, either))]),
      ...streams.map((part) => alone(part, stream(log, part, either))),
      ...sinks.map((part) => alone(part, deliver(log, part, either))),
    ])
  } finally {
    broken.abort() // After a bug the others still run.
  }
}

/** How soon a target that was flushed or deleted is noticed while nothing is written. */
const idleMs = 10_000

function connect({ log, pipeline }: Parts, part: ConnectorPart, signal: AbortSignal) {
  const { connector, name, meter, gate } = part
  const source = announce(connector, meter)
  const sink = log.writer(`${pipeline}.${name}`)
  const pipe = { source, sink, deadLetters: nothingRefused, meter }
  const work = (signal: AbortSignal) => supervise((signal) => pump(pipe, signal), meter, signal)
  const meanwhile = connector.watch?.bind(connector)
  return gate.run({ sink, source, meter, work, meanwhile }, signal)
}

/** Both end together: whichever fails first ends the other. */
async function stream(log: Log, part: StreamPart, signal: AbortSignal): Promise<void> {
  const ended = new AbortController()
  const either = AbortSignal.any([signal, ended.signal])
  const end = () => ended.abort()
  await Promise.all([view(log, part, either).finally(end), part.beside(either).finally(end)])
}

function view(log: Log, part: ViewsPart, signal: AbortSignal) {
  const { group, progress, meter } = part
  const deadLetters = log.deadLetters(group)
  return eachAssignment(log, part, signal, async ({ source, partition, task, signal }) => {
    const pipe = {
      source: progress.follow(source, meter),
      sink: part.open(task(group), partition),
      deadLetters,
      meter,
    }
    await supervise((signal) => pump(pipe, signal), meter, signal).finally(() => pipe.sink.close())
  })
}

function deliver(log: Log, part: SinkPart, signal: AbortSignal) {
  const { group, progress, meter, gate, errands, guard } = part
  const deadLetters = log.deadLetters(group)
  return eachAssignment(log, part, signal, async ({ source, partition, signal }) => {
    const sink = part.open(partition)
    const pipe = {
      source: errands.join(progress.follow(source, meter)),
      sink: errands.watch(sink, guard),
      deadLetters,
      meter,
      idleMs,
      gathering: gatherBatches,
    }
    const work = (signal: AbortSignal) => supervise((signal) => pump(pipe, signal), meter, signal)
    await gate.run({ sink, source, meter, work }, signal).finally(() => sink.close())
  })
}

/** Works on every assignment as it comes. The first that fails ends the others. */
function eachAssignment(
  log: Log,
  part: Reading,
  signal: AbortSignal,
  work: (assignment: Assignment) => Promise<void>,
): Promise<void> {
  const once = (signal: AbortSignal) => assignments(log, part, signal, work)
  return supervise(once, part.meter, signal)
}

async function assignments(
  log: Log,
  { topics, group, meter }: Reading,
  signal: AbortSignal,
  work: (assignment: Assignment) => Promise<void>,
): Promise<void> {
  const failed = new AbortController()
  const working: Promise<void>[] = []
  const either = AbortSignal.any([signal, failed.signal])
  for await (const assignment of log.assignments(topics, group, either)) {
    const done = work(assignment).finally(() => {
      assignment.release?.()
      // The partition is another process's now; this one stands by.
      if (!either.aborted) meter.state = 'starting'
    })
    done.catch(() => failed.abort())
    working.push(done)
  }
  await Promise.all(working)
}

/** A failure with a name stops its own part only: the meter says why. */
async function alone({ name, meter }: Part, task: Promise<void>): Promise<void> {
  try {
    await task
  } catch (error) {
    if (kindOf(error) === 'bug') throw new Error(`${name} met a bug`, { cause: error })
    meter.state = 'failed'
    meter.reason = describeError(error)
  }
}

async function nothingRefused(): Promise<void> {
  throw new Error('the log refuses nothing')
}
