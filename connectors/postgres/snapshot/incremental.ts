import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { readEnvelope } from '../../../src/core/envelope.ts'
import { describeError, MillraceError } from '../../../src/core/errors.ts'
import type { PostgresPosition } from '../position.ts'
import type { OpenRecord } from '../wal/envelope-writer.ts'
import type { Relation } from '../wal/relation.ts'
import type { ChunkRange } from './chunk-range.ts'
import { ChunkWindow } from './chunk-window.ts'
import { parseVisibility, StreamedCommits, type Visibility } from './chunk-xids.ts'
import type { ChangeObserver, ObservedChange } from './incremental-observer.ts'
import type { Entry, IncrementalPlan } from './incremental-plan.ts'
import { ChunkReader, KeyChanged, TableGone, watermarkPrefix } from './incremental-reader.ts'
import {
  type EnteringChunk,
  keyTextOf,
  LiveRun,
  type OpenChunk,
  takePart,
} from './incremental-run.ts'
import { newRun, type TableRun } from './incremental-state.ts'
import { RowWriter } from './rows.ts'
import { parseSignal, type SnapshotCommand } from './signal.ts'

/** A chunk that could not be used is read again after this time. */
const againMs = 100
/** After so many commits we ask which of them everybody sees by now. */
const mostStreamed = 1_000

/**
 * Reads tables while the stream goes on. Chunks are read beside the stream, each in a snapshot of
 * its own, and enter it at the place that their watermark has there.
 */
export class IncrementalSnapshot implements ChangeObserver {
  readonly mutedTopic: string | undefined
  readonly #plan: IncrementalPlan
  readonly #writer: RowWriter
  readonly #streamed: StreamedCommits
  readonly #readers: readonly ChunkReader[]
  readonly #idle: ChunkReader[]
  readonly #chunks = new Map<string, OpenChunk>()
  readonly #stop = new AbortController()
  /** Tells the watermarks of this life from those of an earlier one. */
  readonly #token = randomBytes(8).toString('hex')
  #count = 0
  #runs: LiveRun[]
  #unread: readonly string[]
  #paused: boolean
  #reading = 0
  /** Chunks whose watermark has passed, in that order; `#passing`: in the commit under way. */
  readonly #passed: OpenChunk[] = []
  readonly #passing: OpenChunk[] = []
  /** A chunk that enters in parts, with no change of the stream in between. */
  #entering: EnteringChunk | undefined
  /** What waits for the moment between two commits. */
  readonly #turns: (() => void)[] = []
  /** Of the commit under way, in 32 bits. */
  #xid = 0
  #lastVersion = 0n
  #isChanged = false
  #isAsking = false
  #failure: unknown

  constructor(plan: IncrementalPlan) {
    const { state, near, xids, threads, origin, mutedTopic } = plan
    this.#plan = plan
    this.mutedTopic = mutedTopic
    this.#writer = new RowWriter(origin, 'incremental')
    this.#streamed = new StreamedCommits(near, [...xids, ...(state?.xids ?? [])])
    this.#runs = (state?.runs ?? []).map((run) => new LiveRun(run))
    this.#paused = state?.paused ?? false
    this.#unread = plan.unread
    const onVisibility = (visibility: Visibility) => this.#streamed.forget(visibility)
    this.#readers = Array.from(
      { length: threads },
      () => new ChunkReader({ ...plan, onVisibility }),
    )
    this.#idle = [...this.#readers]
  }

  /** Begins to read. `lastVersion`: of the stream's last commit. */
  start(lastVersion: bigint): void {
    this.#lastVersion = lastVersion
    this.#fill()
  }

  close(): void {
    this.#stop.abort()
    for (const turn of this.#turns.splice(0)) turn()
    for (const reader of this.#readers) reader.close()
  }

  /** What the position must keep. */
  get kept(): Pick<PostgresPosition, 'incremental' | 'unread'> {
    const unread = this.#unread
    if (this.#runs.length === 0) return { incremental: undefined, unread }
    const runs = this.#runs.map((run) => run.state)
    return { incremental: { runs, paused: this.#paused, xids: this.#streamed.all }, unread }
  }

  get isActive(): boolean {
    return this.#runs.length > 0
  }

  get isPaused(): boolean {
    return this.#paused
  }

  get runs(): readonly TableRun[] {
    return this.#runs.map((run) => run.state)
  }

  /** Something is to be put between two commits. */
  get isDue(): boolean {
    const isEntering = this.#passed.length > 0 || this.#entering !== undefined
    return isEntering || this.#turns.length > 0 || this.#isChanged || this.#failure !== undefined
  }

  /** What comes next, once all commits before it are out. */
  next(lastVersion: bigint): Entry | undefined {
    if (this.#failure !== undefined) throw this.#failure
    this.#lastVersion = lastVersion
    const isChanged = this.#isChanged
    this.#isChanged = false
    for (const turn of this.#turns.splice(0)) turn()
    this.#entering ??= this.#nextChunk()
    const entry = this.#entering && this.#enter(this.#entering, lastVersion)
    this.#fill()
    return entry ?? (isChanged ? { records: [], lastVersion } : undefined)
  }

  /** Does what a signal or the command line asks for, and says what that is. */
  command(command: SnapshotCommand): string {
    this.#isChanged = true
    switch (command.do) {
      case 'execute':
        return this.#execute(command.requests)
      case 'stop':
        return this.#cancel(command.tables)
      case 'pause':
        this.#paused = true
        return 'snapshots are paused'
      case 'resume':
        this.#paused = false
        return 'snapshots go on'
    }
  }

  begin(xid: number, isWhole: boolean): void {
    this.#xid = xid
    this.#streamed.add(xid)
    if (!isWhole) this.#interrupt(() => true, 'a commit went out in part before')
    const most = this.#runs.length > 0 ? mostStreamed : 10 * mostStreamed
    if (this.#streamed.count > most) void this.#forget()
  }

  change(relation: Relation, bytes: Buffer, change: ObservedChange): void {
    const { namespace, name, oid } = relation
    if (this.#plan.signalTable !== undefined && change.op === 'c') {
      if (`${namespace}.${name}` === this.#plan.signalTable) this.#signal(change.value)
    }
    if (this.#runs.length === 0) return
    for (const { run, window } of this.#chunks.values()) {
      if (run.table?.relation.oid === oid) window?.observe(this.#streamed.widen(this.#xid), change)
    }
    if (change.oldKey === null || change.unchanged === undefined || change.key === null) return
    for (const run of this.#runs) {
      if (run.name !== `${namespace}.${name}`) continue
      const key = run.key && keyTextOf(run.key, relation, bytes)
      if (key !== undefined) run.addHole([change.key.toString(), key])
    }
  }

  truncate(oid: number): void {
    this.#interrupt(({ run }) => run.table?.relation.oid === oid, 'the table was truncated')
  }

  message(prefix: string, content: Buffer): void {
    if (prefix !== watermarkPrefix) return
    const chunk = this.#chunks.get(content.toString())
    if (chunk !== undefined) this.#passing.push(chunk)
  }

  commit(): void {
    if (this.#passing.length > 0) this.#passed.push(...this.#passing.splice(0))
  }

  #interrupt(concerns: (chunk: OpenChunk) => boolean, why: string): void {
    for (const chunk of this.#chunks.values()) {
      if (concerns(chunk)) chunk.window?.interrupt(this.#streamed.widen(this.#xid), why)
    }
  }

  #signal(value: Buffer): void {
    try {
      const row = JSON.parse(String(Buffer.from(readEnvelope(value).after!)))
      const command = parseSignal(row.type, row.data)
      if (command !== undefined) this.#plan.say(`signal ${row.id}: ${this.command(command)}`)
    } catch (error) {
      this.#plan.say(`a signal was not understood: ${(error as Error).message}`)
    }
  }

  #execute(requests: Extract<SnapshotCommand, { do: 'execute' }>['requests']): string {
    const begun: string[] = []
    for (const { table, where } of requests) {
      const expression = new RegExp(`^(?:${table})$`, 'u')
      const tables = this.#plan.tables.filter((name) => name === table || expression.test(name))
      if (tables.length === 0) return `no table that is read is called ${table}`
      for (const name of tables) {
        const isThere = this.#runs.some((run) => run.name === name && run.where === where)
        const sweep = where === undefined && !this.#unread.includes(name)
        if (!isThere) this.#runs.push(new LiveRun(newRun(name, { where, sweep })))
        begun.push(isThere ? `${name} (already under way)` : name)
      }
    }
    return `snapshot of ${begun.join(', ')}`
  }

  #cancel(tables: readonly string[] | undefined): string {
    const expressions = tables?.map((table) => new RegExp(`^(?:${table})$`, 'u'))
    const isMeant = ({ name }: LiveRun) =>
      expressions === undefined || expressions.some((expression) => expression.test(name))
    const cancelled = this.#runs.filter(isMeant)
    for (const run of cancelled) this.#end(run, 'cancelled')
    return cancelled.length === 0 ? 'no such snapshot runs' : 'cancelled'
  }

  #end(run: LiveRun, outcome: string): void {
    run.isCancelled = true
    for (const { id, window } of run.open) {
      this.#chunks.delete(id)
      window?.close()
    }
    this.#runs = this.#runs.filter((other) => other !== run)
    this.#plan.progress.end(run.name, outcome)
    this.#isChanged = true
  }

  #nextChunk(): EnteringChunk | undefined {
    const chunk = this.#passed.shift()
    return chunk && { chunk, rows: chunk.window!.take()[Symbol.iterator]() }
  }

  /**
   * Rows of the chunk as a commit, and the sweep if they were the run's last. What waits in a file
   * enters in parts.
   */
  #enter({ chunk, rows }: EnteringChunk, lastVersion: bigint): Entry {
    const { run, window, range } = chunk
    if (run.isCancelled || window!.spoiled !== undefined) {
      this.#leave(chunk)
      if (!run.isCancelled) run.putBack(range)
      return { records: [], lastVersion }
    }
    const { relation } = chunk.table!
    const { part, isLast } = takePart(rows)
    run.isHalfOut = !isLast
    const records: OpenRecord[] = []
    let version = lastVersion
    if (part.length > 0) records.push(...this.#writer.commit(relation, part, ++version))
    run.rows += part.length
    for (const { key } of part) run.fillHole(key)
    this.#plan.progress.add(run.name, part.length)
    if (isLast) this.#leave(chunk)
    if (run.isDone) {
      if (run.sweep) records.push(this.#writer.sweep(relation, run.from!, ++version, chunk.lsn))
      this.#runs = this.#runs.filter((other) => other !== run)
      this.#plan.progress.end(run.name)
      if (run.where === undefined) this.#unread = this.#unread.filter((name) => name !== run.name)
    }
    return { records, lastVersion: version }
  }

  #leave(chunk: OpenChunk): void {
    this.#entering = undefined
    this.#chunks.delete(chunk.id)
    chunk.run.open.delete(chunk)
    chunk.window?.close()
  }

  /** Keeps the readers busy, and no more chunks open than can soon enter the stream. */
  #fill(): void {
    if (this.#paused || this.#stop.signal.aborted) return
    const { threads } = this.#plan
    for (const run of this.#runs) {
      while (this.#reading < threads && this.#chunks.size < 2 * threads) {
        // The first chunk of a run finds out what the table is like.
        if (run.table === undefined && run.open.size > 0) break
        const range = run.next()
        if (range === undefined) break
        this.#open(run, range)
      }
    }
  }

  #open(run: LiveRun, range: ChunkRange): void {
    const id = `${this.#token}/${++this.#count}`
    const chunk = { id, run, range, table: undefined, window: undefined, lsn: 0, read: 0 }
    this.#chunks.set(id, chunk)
    run.open.add(chunk)
    this.#reading++
    void this.#read(chunk)
  }

  async #read(chunk: OpenChunk): Promise<void> {
    const reader = this.#idle.pop()!
    const { run } = chunk
    const { signal } = this.#stop
    try {
      chunk.range = await reader.prepare(run, chunk.range, signal)
      this.#plan.progress.begin(run.name, run.table?.rows ?? 0)
      const isKeyless = run.table?.relation.key.length === 0
      if (isKeyless) await this.#betweenCommits(() => this.#openWindow(chunk))
      else this.#openWindow(chunk)
      const isWaiting = await reader.read(chunk, chunk.window!, signal)
      if (!isWaiting && !signal.aborted) await this.#again(chunk)
      else await this.#plan.progress.pace(chunk.read, signal)
    } catch (error) {
      reader.close()
      if (!signal.aborted) this.#fail(chunk, error)
    }
    this.#idle.push(reader)
    this.#reading--
    this.#fill()
  }

  #openWindow(chunk: OpenChunk): void {
    chunk.run.from ??= this.#lastVersion + 1n
    chunk.window = new ChunkWindow(this.#streamed.all)
  }

  /** Does something at a moment when `#lastVersion` is that of the last streamed commit. */
  #betweenCommits(work: () => void): Promise<void> {
    return new Promise((resolve) => {
      this.#turns.push(() => resolve(work()))
    })
  }

  async #again(chunk: OpenChunk): Promise<void> {
    await sleep(againMs, undefined, { signal: this.#stop.signal }).catch(() => {})
    this.#chunks.delete(chunk.id)
    if (!chunk.run.open.delete(chunk) || chunk.run.isCancelled) return
    chunk.run.putBack(chunk.range)
  }

  /** A table that is gone, or a filter that the server refuses, ends the run, not the stream. */
  #fail(chunk: OpenChunk, error: unknown): void {
    const { run } = chunk
    const { code = '' } = ((error as Error).cause ?? {}) as { code?: string }
    if (error instanceof KeyChanged) {
      this.#beginAgain(run)
      return
    }
    const isGone = error instanceof TableGone || code === '42P01'
    const isRefused = run.where !== undefined && /^(42|22)/.test(code)
    if (!isGone && !isRefused) this.#failure ??= error
    else if (!run.isCancelled) {
      const reason = error instanceof MillraceError ? describeError(error) : String(error)
      this.#end(run, isGone ? 'the table does not exist any more' : reason)
    }
  }

  /** What is left to read was told by another key. */
  #beginAgain({ name, where, sweep, isCancelled }: LiveRun): void {
    if (isCancelled) return
    for (const run of this.#runs.filter((run) => run.name === name && run.where === where)) {
      this.#end(run, 'begins again: its key has changed')
    }
    this.#runs.push(new LiveRun(newRun(name, { where, sweep })))
  }

  /** Between chunks nobody else tells what everybody sees. */
  async #forget(): Promise<void> {
    if (this.#isAsking) return
    this.#isAsking = true
    try {
      const sql = await this.#plan.sql()
      const { rows } = await sql.query('SELECT pg_current_snapshot()::text AS seen')
      this.#streamed.forget(parseVisibility(rows[0].seen))
    } catch {
      // Who needs the connection will say why it is gone.
    } finally {
      this.#isAsking = false
    }
  }
}
