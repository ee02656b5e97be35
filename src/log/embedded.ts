import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { MillraceError } from '../core/errors.ts'
import type { Assignment, DeadLetters, Log, LogInfo, Task, TopicInfo } from '../core/log.ts'
import type { LogRecord, NewRecord } from '../core/record.ts'
import type { Sink } from '../core/sink.ts'
import type { Position, Source } from '../core/source.ts'
import { DeadLetterStore } from './dead-letters.ts'
import {
  type Environment,
  getJson,
  json,
  logFile,
  openEnvironment,
  recordStart,
} from './environment.ts'
import { Groups } from './groups.ts'
import { Lanes } from './lanes.ts'
import { lockDirectory } from './lock.ts'
import { unwritable } from './log-file.ts'
import type { Start } from './position.ts'
import { type OpenCommit, type Readable, visibleEnd } from './readable.ts'
import { LogReader } from './reader.ts'
import { positionOfBeginning } from './scan.ts'
import { LogTask } from './task.ts'
import { Append, type BlockRoom, LogWriter } from './writer.ts'

/** Opens the log in `path`, made on first use. Throws `LOG_IN_USE` if another process has it. */
export async function openEmbeddedLog({ path }: { readonly path: string }): Promise<EmbeddedLog> {
  const unlock = lockDirectory(path)
  try {
    const environment = openEnvironment(path)
    const head = getJson<number>(environment.meta, 'head') ?? 1
    return new EmbeddedLog(environment, recordStart(environment, head), { path, head, unlock })
  } catch (error) {
    unlock()
    throw error instanceof MillraceError ? error : await unwritable(join(path, logFile), error)
  }
}

interface Opened {
  readonly path: string
  readonly head: number
  readonly unlock: () => void
}

/** Topics in one directory, read and written by one process. */
export class EmbeddedLog implements Log, Readable {
  /** The data directory. */
  readonly path: string
  readonly environment: Environment
  readonly lanes: Lanes
  readonly history: readonly Start[]
  readonly letters: DeadLetterStore
  readonly groups: Groups
  readonly #unlock: () => void
  readonly #open = new Map<string, OpenCommit>()
  /** The next sequence to give away; those below are given, not all of them durable yet. */
  #next: number
  /** Everything below is durable, but for the commits in #open. */
  #head: number
  #grown = Promise.withResolvers<void>()
  /**
   * Each writer's room for blocks, free once its commit is durable: taken anew for every commit it
   * cost half as much memory again and a fifth of the CPU of a large transaction.
   */
  readonly #room = new Map<string, BlockRoom>()
  /** The commit queued last: they are shown in the order in which they were queued. */
  #last: Promise<unknown> = Promise.resolve()
  /** Why nothing is written any more: what is in memory may not be what is stored. */
  #failure: MillraceError | undefined
  #closed = false

  constructor(environment: Environment, history: readonly Start[], opened: Opened) {
    const { path, head, unlock } = opened
    this.path = path
    this.environment = environment
    this.lanes = new Lanes(environment)
    this.history = history
    this.letters = new DeadLetterStore(this)
    this.groups = new Groups(environment)
    this.#unlock = unlock
    this.#next = head
    this.#head = head
    for (const { key, value } of environment.open.getRange()) {
      this.#open.set(key, JSON.parse(value.toString()) as OpenCommit)
    }
  }

  writer(name: string): Sink<NewRecord> {
    return new LogWriter(this, name)
  }

  async *assignments(
    topics: readonly string[],
    group: string,
    signal: AbortSignal,
  ): AsyncGenerator<Assignment> {
    this.groups.join(group, topics, positionOfBeginning(this))
    const source = this.reader(topics, group)
    yield { partition: 0, source, task: (name: string): Task => new LogTask(this, name), signal }
    await new Promise<void>((resolve) => {
      if (signal.aborted) resolve()
      else signal.addEventListener('abort', () => resolve(), { once: true })
    })
  }

  /** Reads the topics in the order of their commits. Without a group nobody remembers how far. */
  reader(topics: readonly string[], group: string): Source<LogRecord> {
    return new LogReader(this, topics, group)
  }

  deadLetters(sink: string): DeadLetters {
    return (letters) => this.letters.keep(sink, letters)
  }

  /**
   * Makes what `stage` puts durable in one transaction, then shows it to readers. `append` takes
   * records along; what it says of `complete` decides whether the last commit stays open. It
   * returns the sequence of the last record's commit.
   */
  async commit(
    writer: string,
    stage: (
      append: (batches: readonly (readonly NewRecord[])[], complete: boolean) => number,
    ) => void,
  ): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure
    const open = this.#open.get(writer)
    // After a commit that failed the room is not used again: LMDB may still be reading it.
    const room: BlockRoom = this.#room.get(writer) ?? new Map()
    this.#room.delete(writer)
    const records = new Append({ log: this, writer, open, next: this.#next, room })
    let left = open
    const done = this.environment.root.batch(() => {
      stage((batches, complete) => {
        for (const batch of batches) records.records(batch)
        records.put()
        left = complete ? undefined : this.#leaveOpen(batches, records, open)
        this.#putOpen(writer, open, left)
        return records.current.sequence
      })
      this.#next = records.next
      this.environment.meta.put('head', json(records.next))
    })
    const before = this.#last
    this.#last = done.catch(() => {})
    await Promise.all([before, done]).catch((error: unknown) => this.#fail(error))
    this.#show(writer, records, left)
    for (const out of room.values()) out.rewind()
    this.#room.set(writer, room)
  }

  /** Changes what is stored without adding records. Durable once it resolves. */
  async change(stage: (environment: Environment) => void): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure
    const done = this.environment.root.batch(() => stage(this.environment))
    await done.catch((error: unknown) => this.#fail(error))
  }

  async #fail(error: unknown): Promise<never> {
    const failure = await unwritable(join(this.path, logFile), error)
    throw (this.#failure ??= failure)
  }

  #leaveOpen(
    batches: readonly (readonly NewRecord[])[],
    records: Append,
    open: OpenCommit | undefined,
  ): OpenCommit | undefined {
    return batches.length > 0 ? records.current : open
  }

  #putOpen(writer: string, before: OpenCommit | undefined, after: OpenCommit | undefined): void {
    if (after !== undefined) this.environment.open.put(writer, json(after))
    else if (before !== undefined) this.environment.open.remove(writer)
  }

  #show(writer: string, records: Append, left: OpenCommit | undefined): void {
    records.done()
    if (left === undefined) this.#open.delete(writer)
    else this.#open.set(writer, left)
    this.#head = Math.max(this.#head, records.next)
    const grown = this.#grown
    this.#grown = Promise.withResolvers()
    grown.resolve()
  }

  /**
   * Resolves once what was being committed at the call is shown to readers. The store itself shows
   * a commit to those who look into it a moment earlier.
   */
  async settled(): Promise<void> {
    await this.#last
    await setImmediate()
  }

  visible(topics: readonly string[]): number {
    return visibleEnd(this, this.#open, topics)
  }

  get head(): number {
    return this.#head
  }

  grown(): Promise<void> {
    return this.#grown.promise
  }

  keepGroup(group: string, position: Position): void {
    if (!this.#closed) this.groups.keep(group, position)
  }

  async describe(): Promise<LogInfo> {
    const topics: TopicInfo[] = []
    for (const { topic, start, nextOffset, end, timestamp } of this.lanes.all) {
      const partitions = [{ start: BigInt(start), end: BigInt(nextOffset) }]
      topics.push({ topic, partitions, sequence: BigInt(end), timestamp })
    }
    return { topics, head: BigInt(this.#head), groups: this.groups.all }
  }

  async close(): Promise<void> {
    if (this.#closed) return
    if (this.#failure === undefined) await this.change(() => this.lanes.keepAll())
    this.#closed = true
    await this.environment.root.close()
    this.#unlock()
  }
}
