import { describeError, kindOf, MillraceError } from '../../core/errors.ts'
import { gatherBatches } from '../../core/gather.ts'
import type { Assignment, Log, Spread, Task } from '../../core/log.ts'
import type { Meter } from '../../core/meter.ts'
import type { Connector } from '../../core/plugin.ts'
import { pump } from '../../core/pump.ts'
import type { LogRecord, NewRecord } from '../../core/record.ts'
import type { RefusalGuard } from '../../core/refusal-guard.ts'
import type { Reindexing } from '../../core/reindexing.ts'
import type { Sink } from '../../core/sink.ts'
import { supervise } from '../../core/supervise.ts'
import type { StreamTopology } from '../../streams/stream-topology.ts'
import { Errands } from './errands.ts'
import type { Gate } from './gate.ts'
import { announce, type Progress } from './progress.ts'
import type { Upgrade } from './upgrade.ts'

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
  /** How tasks share partitions; else each reads one of every topic. */
  readonly spread?: Spread | undefined
  readonly progress: Progress
}

/** All views: one task, so that a view over a view and a table sees one moment. */
export interface ViewsPart extends Reading {
  readonly open: (task: Task, partition: number) => Sink<LogRecord>
  /** Runs beside a task: lets time go on. */
  readonly beside?: (partition: number, signal: AbortSignal) => Promise<void>
  /** Under which group refused records are kept, if not under its own. */
  readonly letters?: string
  /** Takes the place of the views as they were, before they run. */
  readonly upgrade?: Upgrade
  /** Forgets the state of former views in time. */
  readonly forgetSpare?: (signal: AbortSignal) => Promise<void>
}

/** A topology of streams. */
export interface StreamPart extends ViewsPart {
  readonly topology: StreamTopology
}

export interface SinkPart extends Reading {
  /** Where an operator stops it. */
  readonly gate: Gate
  /** What an operator has it write, by the partitions that this process reads. */
  readonly errands: Map<number, Errands>
  readonly guard: RefusalGuard
  readonly open: (partition: number) => Sink<LogRecord>
  /** Fills a new target beside the one that serves, if this type of sink can. */
  readonly reindexing?: ((partition: number) => Reindexing) | undefined
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
      ...(views === undefined ? [] : [alone(views, viewsOf(log, views, either))]),
      ...streams.map((part) => alone(part, view(log, part, either))),
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
  return gate.run({ sink, source, partition: 0, meter, work, meanwhile }, signal)
}

async function viewsOf(log: Log, part: ViewsPart, signal: AbortSignal): Promise<void> {
  const { upgrade } = part
  const run = (part: ViewsPart, signal: AbortSignal) => view(log, part, signal)
  if (upgrade !== undefined && !(await upgrade.run(run, signal))) return
  const ended = new AbortController()
  const forgotten = part.forgetSpare?.(AbortSignal.any([signal, ended.signal]))
  await view(log, part, signal).finally(() => ended.abort())
  await forgotten
}

function view(log: Log, part: ViewsPart, signal: AbortSignal) {
  const { group, progress, meter, letters = group } = part
  const deadLetters = log.deadLetters(letters)
  return eachAssignment(log, part, signal, async ({ source, partition, task, signal }) => {
    const pipe = {
      source: progress.follow(source, meter),
      sink: part.open(task(group), partition),
      deadLetters,
      meter,
    }
    const ended = new AbortController()
    const either = AbortSignal.any([signal, ended.signal])
    const end = () => ended.abort()
    const work = supervise((signal) => pump(pipe, signal), meter, either).finally(end)
    const both = [work, part.beside?.(partition, either).finally(end)]
    await Promise.allSettled(both)
    await pipe.sink.close()
    await Promise.all(both)
  })
}

function deliver(log: Log, part: SinkPart, signal: AbortSignal) {
  const { group, progress, meter, gate, guard } = part
  const deadLetters = log.deadLetters(group)
  return eachAssignment(log, part, signal, async ({ source, partition, signal, release }) => {
    const sink = part.open(partition)
    const fence = release === undefined ? rethrow : lostPartition
    const errands = new Errands()
    part.errands.set(partition, errands)
    const pipe = {
      source: errands.join(progress.follow(source, meter)),
      sink: errands.watch(sink, guard),
      deadLetters,
      meter,
      idleMs,
      gathering: gatherBatches,
    }
    const once = (signal: AbortSignal) => pump(pipe, signal).catch(fence)
    const work = (signal: AbortSignal) => supervise(once, meter, signal)
    await gate.run({ sink, source, partition, meter, work }, signal).finally(() => {
      part.errands.delete(partition)
      return sink.close()
    })
  })
}

function rethrow(error: unknown): never {
  throw error
}

/**
 * Where partitions move between processes, one that was suspended may write on with a partition
 * that another has by now: the checkpoint tells it before the group does. It is no longer to write,
 * and no fault.
 */
function lostPartition(error: unknown): never {
  if (!(error instanceof MillraceError) || error.code !== 'FENCED') throw error
  throw new MillraceError('WRITER_FENCED', error.message, { cause: error })
}

type Readers = Pick<Reading, 'topics' | 'group' | 'spread' | 'meter'>

/** Works on every assignment as it comes. The first that fails ends the others. */
export function eachAssignment(
  log: Log,
  part: Readers,
  signal: AbortSignal,
  work: (assignment: Assignment) => Promise<void>,
): Promise<void> {
  const once = (signal: AbortSignal) => assignments(log, part, signal, work)
  return supervise(once, part.meter, signal)
}

async function assignments(
  log: Log,
  { topics, group, spread, meter }: Readers,
  signal: AbortSignal,
  work: (assignment: Assignment) => Promise<void>,
): Promise<void> {
  const failed = new AbortController()
  const working: Promise<void>[] = []
  const either = AbortSignal.any([signal, failed.signal])
  for await (const assignment of log.assignments(topics, group, either, spread)) {
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
