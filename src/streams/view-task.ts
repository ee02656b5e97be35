import type { Task } from '../core/log.ts'
import type { LogRecord } from '../core/record.ts'
import type { Schema } from '../core/schema.ts'
import type { Checkpoint, Outcome, Sink } from '../core/sink.ts'
import type { Batch, Position } from '../core/source.ts'
import { Turns } from '../core/turns.ts'
import { type Emission, Output } from './emission.ts'
import type { Graph } from './graph.ts'
import {
  hasReached,
  hasRead,
  loadProgress,
  noteRead,
  type Progress,
  saveProgress,
  startOfLog,
} from './progress.ts'
import { State } from './state.ts'
import type { CacheRoom } from './state-cache.ts'
import { holdsDocuments, type Topology } from './topology.ts'

export interface ViewTaskOptions {
  readonly topology: Topology
  /** Where state and outputs go. Nobody else may write its store. */
  readonly task: Task
  /** The version of the program, named in envelopes. */
  readonly release: string
  /** By `laneName`, the offset that the next record will have; asked when a rebuild begins. */
  readonly ends?: (topics: readonly string[]) => Promise<ReadonlyMap<string, bigint>>
  readonly onProgress?: (phase: ViewPhase) => void
  /** Whether nobody is told: it keeps its state beside another task, whose place it may take. */
  readonly withholds?: boolean
  /** Hears of the columns that rows of a topic have, whenever they are others than before. */
  readonly onSchema?: (topic: string, schema: Schema) => void
  /** Throws what keeps it from going on; asked whenever it resumes. */
  readonly check?: () => Promise<void>
  /** For what is kept of the state in memory; tasks may share it. */
  readonly caches?: CacheRoom
  /** A commit's records go out in transactions of about so many bytes. */
  readonly partBytes?: number
  readonly now?: () => number
}

/** `building`: history is being read, and output withheld until its end. */
export type ViewPhase = 'building' | 'running'

/** Entries of forgotten states that a batch deletes. */
const collectedPerBatch = 5_000

/**
 * All views of a pipeline, as one sink: it reads changes, keeps state, and writes the net effect of
 * each commit on each document, once.
 *
 * State, outputs and position become durable together. A commit whose output is large goes out in
 * several transactions; the state then says what is being told, and the position stays where it
 * was, so that after a crash `resume` tells the rest, and commits that are read again are skipped.
 */
export class ViewTask implements Sink<LogRecord> {
  readonly #options: ViewTaskOptions
  readonly #task: Task
  #state!: State
  #graph!: Graph
  #progress!: Progress
  #output!: Output
  readonly #turns = new Turns()
  #source = ''
  #position: Position | undefined
  #phase: ViewPhase | undefined

  constructor(options: ViewTaskOptions) {
    this.#options = options
    this.#task = options.task
  }

  async resume(source: string): Promise<Position | undefined> {
    const { topology, task, release, caches } = this.#options
    this.#source = source
    await this.#options.check?.()
    this.#position = await task.resume(source)
    this.#state = new State(task.store, caches)
    this.#progress = loadProgress(this.#state) ?? startOfLog(0n)
    this.#output = new Output(this.#options.partBytes ?? 4 * 1024 * 1024)
    if (this.#state.definition !== topology.hash) await this.#rebuild()
    const { onSchema } = this.#options
    this.#graph = topology.open(this.#state, { release, onSchema })
    const { open, building, emitting } = this.#progress
    if (open || building || emitting) for (const view of this.#graph.views) view.findPending()
    if (emitting) await this.#tellRest(emitting)
    this.#report()
    return this.#position
  }

  async clear(source: string): Promise<void> {
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
      if (open !== undefined && open.sequence !== record.sequence) await this.#finish()
      this.#enter(record)
      outcomes.push(this.#graph.apply(record))
      if (this.#turns.isOver) await this.#turns.next()
    }
    this.#graph.round()
    if (complete && this.#progress.open) await this.#finish()
    this.#state.collect(collectedPerBatch)
    if (!this.#output.isEmpty) await this.#writeTold(position, true)
    return outcomes
  }

  async commit(checkpoint: Checkpoint): Promise<void> {
    const { open, building } = this.#progress
    if (open || building) for (const view of this.#graph.views) view.spill()
    saveProgress(this.#state, this.#progress)
    await this.#task.commit(checkpoint)
    this.#position = checkpoint.position
    this.#report()
  }

  async close(): Promise<void> {
    await this.#task.close()
  }

  #enter(record: LogRecord): void {
    const { sequence, version, timestamp, cause = sequence } = record
    const progress = this.#progress
    noteRead(progress, record)
    const { open } = progress
    if (open === undefined || version > open.version) {
      progress.open = { sequence, version, timestamp, cause }
    }
  }

  /** The commit is complete. A rebuild takes all of history for one commit. */
  async #finish(): Promise<void> {
    const progress = this.#progress
    const commit = progress.open!
    progress.open = undefined
    this.#graph.endCommit()
    const { version, timestamp, cause } = commit
    progress.last = { version, timestamp, cause }
    if (progress.building !== undefined) {
      if (!hasReached(progress.offsets, progress.building)) return
      progress.building = undefined
      for (const view of this.#graph.views) view.noteDocuments()
    }
    this.#graph.round()
    if (!this.#graph.views.some((view) => view.hasPending)) return
    const next = progress.lastVersion + 1n
    this.#output.ordinal = 0
    await this.#tell({ version: version > next ? version : next, timestamp, cause })
  }

  async #tell(commit: Emission): Promise<void> {
    const output = this.#output
    output.processedAt = this.#options.now?.() ?? Date.now()
    for (const view of this.#graph.views) {
      while (!view.emit(commit, output)) {
        if (output.isFull) await this.#commitPart(commit)
        await this.#turns.next()
      }
    }
    if (output.ordinal > 0) this.#progress.lastVersion = commit.version
    this.#progress.emitting = undefined
  }

  /** Before the first checkpoint there is no position to commit with, so all goes out at once. */
  async #commitPart(commit: Emission): Promise<void> {
    const position = this.#position
    if (position === undefined) return
    for (const view of this.#graph.views) view.spill()
    this.#progress.emitting = { ...commit, ordinal: this.#output.ordinal }
    await this.#writeTold(position, false)
    await this.#commitAt(position, commit)
  }

  /** Goes on where a crash ended the telling of a commit. */
  async #tellRest(emitting: NonNullable<Progress['emitting']>): Promise<void> {
    const position = this.#position!
    this.#output.ordinal = emitting.ordinal
    await this.#tell(emitting)
    await this.#writeTold(position, true)
    await this.#commitAt(position, emitting)
  }

  async #writeTold(position: Position, complete: boolean): Promise<void> {
    const records = this.#output.take()
    if (!this.#options.withholds) await this.#task.write({ records, position, complete })
  }

  async #commitAt(position: Position, { timestamp }: Emission): Promise<void> {
    saveProgress(this.#state, this.#progress)
    await this.#task.commit({ source: this.#source, position, timestamp })
  }

  /** The definitions changed: everything but what was told is made again from the log. */
  async #rebuild(): Promise<void> {
    const { topology, ends } = this.#options
    const isFirst = this.#state.definition === ''
    const end = new Map<string, bigint>()
    for (const [lane, next] of (await ends?.(topology.topics)) ?? []) {
      if (next > 0n) end.set(lane, next - 1n)
    }
    for (const [lane, read] of this.#progress.offsets) {
      const isStillRead = topology.topics.includes(lane.split('/')[0]!)
      if (isStillRead && read > (end.get(lane) ?? -1n)) end.set(lane, read)
    }
    // Also of views that are no more: their topics still hold them, should they come again.
    this.#state.start(topology.hash, new Set(this.#state.names.filter(holdsDocuments)))
    this.#progress = startOfLog(this.#progress.lastVersion)
    if (!isFirst || end.size > 0) this.#progress.building = end
    this.#position = undefined
  }

  #report(): void {
    const phase = this.#progress.building === undefined ? 'running' : 'building'
    if (phase !== this.#phase) this.#options.onProgress?.(phase)
    this.#phase = phase
  }
}
