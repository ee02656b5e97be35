import { MillraceError } from '../core/errors.ts'
import type { Json } from '../core/json.ts'
import type { Task } from '../core/log.ts'
import type { LogRecord, NewRecord } from '../core/record.ts'
import type { Checkpoint, Outcome, Sink } from '../core/sink.ts'
import type { Batch, Position } from '../core/source.ts'
import { Turns } from '../core/turns.ts'
import type { Emission } from './emission.ts'
import type { Clock, ReadableStore } from './flow/flow.ts'
import { FlowGraph } from './flow-graph.ts'
import { FlowOutput } from './flow-output.ts'
import { Forwarder, hopsTopic, itemHop, readHop } from './hops.ts'
import {
  hasRead,
  loadProgress,
  noteRead,
  type Progress,
  saveProgress,
  startOfLog,
} from './progress.ts'
import { RecordReader } from './record-reader.ts'
import { State } from './state.ts'
import type { CacheRoom } from './state-cache.ts'
import { emissionOf, type StreamTopology } from './stream-topology.ts'
import { readTick, type Tick, ticksTopic } from './tick.ts'

export interface StreamTaskOptions {
  readonly topology: StreamTopology
  readonly pipeline: string
  /** Where state and outputs go. Nobody else may write its store. */
  readonly task: Task
  /** The version of the program, named in envelopes. */
  readonly release: string
  /** Its number, where several tasks share the keys; on the embedded log there is one. */
  readonly part?: number | undefined
  /** Says that the topology begins anew, as another definition made its state. */
  readonly onRebuild?: () => void
  /** For what is kept of the state in memory; tasks may share it. */
  readonly caches?: CacheRoom
  /** A commit's records go out in transactions of about so many bytes. */
  readonly partBytes?: number
  readonly now?: () => number
}

/** Entries of forgotten states that a batch deletes. */
const collectedPerBatch = 5_000

/**
 * A topology of streams, as one sink: it reads records in the order of their commits, keeps state,
 * and writes what comes of them.
 *
 * State, outputs and position become durable together. A commit that takes several transactions
 * is told when it is complete: until then its outputs wait in the state. Once telling has begun,
 * the position stays where it was until the end; after a crash `resume` tells the rest, and commits
 * that are read again are skipped.
 *
 * Where several tasks share the keys, each record is worked off as a commit of its own: what it
 * reads of topics goes on to the task that has its key, and what that makes of it, too.
 */
export class StreamTask implements Sink<LogRecord> {
  readonly #options: StreamTaskOptions
  readonly #task: Task
  readonly #ticks: string
  readonly #turns = new Turns()
  #state!: State
  #graph!: FlowGraph
  #readers = new Map<string, RecordReader>()
  /** Where the tasks tell each other, if there are several. */
  readonly #hops: string | undefined
  #forwarders = new Map<string, Forwarder>()
  #progress!: Progress
  #output!: FlowOutput
  /** Records of complete commits, which go out with the batch. */
  #told: (readonly NewRecord[])[] = []
  /** Whether the commit under way has been through a transaction. */
  #hasSpilled = false
  #source = ''
  #position: Position | undefined
  #lastTick = 0
  #idleSince = 0

  constructor(options: StreamTaskOptions) {
    this.#options = options
    this.#task = options.task
    const { pipeline, topology, part } = options
    this.#ticks = ticksTopic(pipeline, topology.name)
    this.#hops = part === undefined ? undefined : hopsTopic(pipeline, topology)
  }

  async resume(source: string): Promise<Position | undefined> {
    const { topology, task } = this.#options
    this.#source = source
    this.#told = []
    this.#position = await task.resume(source)
    const { definition } = new State(task.store)
    if (this.#hops !== undefined && definition !== topology.hash) this.#mayBeginAnew()
    this.#state = new State(task.store, this.#options.caches)
    this.#progress = loadProgress(this.#state) ?? startOfLog(0n)
    if (this.#state.definition !== topology.hash) this.#rebuild()
    this.#open()
    this.#idleSince = this.#options.now?.() ?? Date.now()
    const { open, emitting } = this.#progress
    this.#hasSpilled = open !== undefined || emitting !== undefined
    if (open !== undefined) this.#begin(open, open.ordinal)
    if (emitting !== undefined) await this.#tellRest(emitting)
    return this.#position
  }

  async clear(source: string): Promise<void> {
    if (this.#hops !== undefined) this.#mayBeginAnew()
    await this.#task.clear(source)
    await this.resume(source)
  }

  async write({ records, position, complete }: Batch<LogRecord>): Promise<readonly Outcome[]> {
    const outcomes: Outcome[] = []
    this.#turns.begin()
    for (const record of records) {
      if (hasRead(this.#progress, record)) {
        outcomes.push('stale')
        continue
      }
      const { open } = this.#progress
      const isNext = open?.sequence !== record.sequence || this.#hops !== undefined
      if (open !== undefined && isNext) await this.#finish(outcomes)
      this.#enter(record)
      outcomes.push(this.#apply(record))
      if (this.#turns.isOver) await this.#turns.next()
    }
    const isOver = complete || this.#hops !== undefined
    if (isOver && this.#progress.open) await this.#finish(outcomes)
    this.#state.collect(collectedPerBatch)
    await this.#writeTold(position)
    return outcomes
  }

  async commit(checkpoint: Checkpoint): Promise<void> {
    const { open } = this.#progress
    if (open !== undefined) {
      this.#spill()
      this.#progress.open = { ...open, ordinal: this.#output.ordinal }
    }
    saveProgress(this.#state, this.#progress)
    await this.#task.commit(checkpoint)
    this.#position = checkpoint.position
  }

  async close(): Promise<void> {
    await this.#task.close()
  }

  /** When a timer is due that only a tick can bring on. Only between commits. */
  due(clock: Clock): number | undefined {
    return this.#graph?.due(clock)
  }

  /** What the clock said in the last tick that was read, in ms since 1970. */
  get lastTick(): number {
    return this.#lastTick
  }

  /** When the last record but ticks was read. */
  get idleSince(): number {
    return this.#idleSince
  }

  /** Stores that were given a name, as they are now. */
  get stores(): ReadonlyMap<string, ReadableStore> {
    return this.#graph.stores
  }

  #open(): void {
    const { topology, pipeline, release, partBytes = 4 * 1024 * 1024 } = this.#options
    const state = this.#state
    this.#readers = new Map([...topology.topics.keys()].map((topic) => [topic, new RecordReader()]))
    this.#output = new FlowOutput({ state, pipeline, topology: topology.name, release, partBytes })
    this.#forwarders.clear()
    const hops = this.#hops
    const hop = (to: string, item: { readonly timestamp: number }, key: Json) =>
      this.#output.pass(itemHop(hops!, to, { key, item }))
    this.#graph = new FlowGraph(topology, state, {
      ...(hops !== undefined && { hop }),
      emission: emissionOf(topology),
      write: (...told) => this.#output.write(...told),
      skipsFailures: (topology.options.onError ?? 'fail') !== 'fail',
      readsChanges: true,
    })
  }

  #enter(record: LogRecord): void {
    const { sequence, version, timestamp, cause = sequence, topic } = record
    const progress = this.#progress
    noteRead(progress, record)
    const isTick = topic === this.#ticks
    if (!isTick) this.#idleSince = this.#options.now?.() ?? Date.now()
    if (progress.open !== undefined) return
    const next = progress.lastVersion + 1n
    const own = isTick || version < next ? next : version
    progress.open = { sequence, version: own, timestamp, cause }
    this.#begin(progress.open)
  }

  #begin(commit: Emission, ordinal?: number): void {
    this.#output.begin(commit, this.#options.now?.() ?? Date.now(), ordinal)
  }

  #apply(record: LogRecord): Outcome {
    if (record.topic === this.#ticks) return this.#advance(readTick(record))
    try {
      const outcome = this.#hops === undefined ? this.#take(record) : this.#share(record)
      return this.#failed(record.topic) ?? outcome
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error
      return { code: 'not_a_change', reason: `The record cannot be read: ${error.message}.` }
    }
  }

  #take(record: LogRecord): Outcome {
    return this.#graph.take(record) ?? this.#process(record)
  }

  /** Works off what is this task's, and passes on what a topic has for any. */
  #share(record: LogRecord): Outcome {
    const { topic } = record
    if (topic === this.#hops) {
      const arrival = readHop(record)
      if ('record' in arrival) return this.#take(arrival.record)
      this.#graph.arrive(arrival.boundary, arrival.item)
      return 'applied'
    }
    if (this.#options.topology.globalTopics.includes(topic)) return this.#take(record)
    const forwarder = this.#forwarders.get(topic) ?? new Forwarder(this.#hops!)
    this.#forwarders.set(topic, forwarder)
    const hop = forwarder.forward(record)
    if (hop === undefined) return 'filtered'
    this.#output.pass(hop)
    return 'applied'
  }

  #process(record: LogRecord): Outcome {
    const read = this.#readers.get(record.topic)?.read(record)
    if (read === undefined) return 'filtered'
    this.#graph.process(record.topic, read)
    return 'applied'
  }

  #advance({ stream, wall, task = 0 }: Tick): Outcome {
    if (task !== (this.#options.part ?? 0)) return 'filtered'
    this.#lastTick = wall
    this.#graph.advance('wall', wall)
    if (stream !== null) this.#graph.advance('stream', stream)
    return 'applied'
  }

  /** What becomes of a record for which the user's code failed. */
  #failed(topic: string): Outcome | undefined {
    const [error] = this.#graph.takeFailures()
    if (error === undefined) return undefined
    const isKept = this.#options.topology.options.onError === 'deadLetter' && topic !== this.#ticks
    return isKept ? { code: 'user_code', reason: error.message } : 'filtered'
  }

  /** The commit is complete: what waits for its end is told. */
  async #finish(outcomes: Outcome[] = []): Promise<void> {
    const { version, timestamp, cause } = this.#progress.open!
    this.#progress.open = undefined
    await this.#tell({ version, timestamp, cause })
    const last = outcomes.length - 1
    const failed = this.#failed('')
    if (failed !== undefined && last >= 0) outcomes[last] = failed
  }

  async #tell(commit: Emission): Promise<void> {
    for (const _ of this.#graph.endCommit()) {
      await this.#turns.next()
      if (this.#output.isFull) await this.#commitPart(commit)
    }
    for (const { records, isLast } of this.#output.end(this.#hasSpilled)) {
      if (records.length > 0) this.#progress.lastVersion = commit.version
      this.#told.push(records)
      if (isLast) break
      const ordinal = records.at(-1)!.ordinal + 1
      await this.#commitTold({ ...commit, ordinal }, false)
    }
    this.#hasSpilled = false
    this.#progress.emitting = undefined
  }

  /** Before the first checkpoint there is no position to commit with, so all goes out at once. */
  async #commitPart(commit: Emission): Promise<void> {
    if (this.#position === undefined || this.#hops !== undefined) return
    this.#spill()
    await this.#commitTold({ ...commit, ordinal: this.#output.ordinal }, true)
  }

  async #commitTold(emitting: Emission & { readonly ordinal: number }, complete: boolean) {
    const position = this.#position
    if (position === undefined) return
    this.#progress.emitting = emitting
    await this.#writeTold(position, complete)
    saveProgress(this.#state, this.#progress)
    const { timestamp } = emitting
    await this.#task.commit({ source: this.#source, position, timestamp })
  }

  /** Goes on where a crash ended the telling of a commit. */
  async #tellRest(emitting: NonNullable<Progress['emitting']>): Promise<void> {
    const position = this.#position!
    this.#begin(emitting, emitting.ordinal)
    await this.#tell(emitting)
    await this.#writeTold(position)
    saveProgress(this.#state, this.#progress)
    await this.#task.commit({ source: this.#source, position, timestamp: emitting.timestamp })
  }

  async #writeTold(position: Position, complete = true): Promise<void> {
    const records = this.#told.flat()
    this.#told = []
    if (records.length > 0) await this.#task.write({ records, position, complete })
  }

  #spill(): void {
    this.#graph.spill()
    this.#output.spill()
    this.#hasSpilled = true
  }

  /** What the others were told once must not be told again: they begin anew together. */
  #mayBeginAnew(): void {
    const { topology } = this.#options
    if (this.#position?.includes(JSON.stringify(this.#hops)) !== true) return
    const why = `One of the ${topology.options.partitions} tasks of ${topology.name} cannot begin anew alone`
    throw new MillraceError('TASKS_APART', `${why}: topics that it has read were made anew.`)
  }

  /** The definition changed: all state is made again from the log, and told with new versions. */
  #rebuild(): void {
    const isFirst = this.#state.definition === ''
    this.#state.start(this.#options.topology.hash, new Set())
    this.#progress = startOfLog(this.#progress.lastVersion)
    this.#position = undefined
    if (!isFirst) this.#options.onRebuild?.()
  }
}
