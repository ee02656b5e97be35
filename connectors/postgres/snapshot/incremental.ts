import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { readEnvelope } from '../../../src/core/envelope.ts'
import { describeError, MillraceError } from '../../../src/core/errors.ts'
import type { PostgresPosition } from '../position.ts'
import type { OpenRecord } from '../wal/envelope-writer.ts'
import type { Relation } from '../wal/relation.ts'
import type { ChunkRange, KeyText } from './chunk-range.ts'
import { ChunkWindow } from './chunk-window.ts'
import { parseVisibility, StreamedCommits, type Visibility } from './chunk-xids.ts'
import type { ChangeObserver, ObservedChange } from './incremental-observer.ts'
import {
  ChunkReader,
  type ChunkReading,
  KeyChanged,
  TableGone,
  watermarkPrefix,
} from './incremental-reader.ts'
import { LiveRun, type OpenChunk } from './incremental-run.ts'
import { type IncrementalState, newRun, type TableRun } from './incremental-state.ts'
import type { SnapshotProgress } from './progress.ts'
import { RowWriter } from './rows.ts'
import { parseSignal, type SnapshotCommand } from './signal.ts'

/** A chunk that could not be used is read again after this time. */
const againMs = 100
/** After so many commits we ask which of them everybody sees by now. */
const mostStreamed = 1_000

export interface IncrementalPlan extends Omit<ChunkReading, 'onVisibility'> {
  readonly threads: number
  readonly progress: SnapshotProgress
  /** Names of the tables that are read, `schema.table`. */
  readonly tables: readonly string[]
  /** Its new rows are signals. */
  readonly signalTable: string | undefined
  readonly mutedTopic: string | undefined
  readonly state: IncrementalState | undefined
  /** Tables of which no snapshot was complete yet. */
  readonly unread: readonly string[]
  /** Taken before the stream begins, and the commits that it may not see. */
  readonly near: bigint
  readonly xids: readonly bigint[]
}

/** What is to be written between two commits of the stream. */
export interface Entry {
  readonly records: readonly OpenRecord[]
  readonly lastVersion: bigint
}

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
  #xid = 0n
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
    return this.#passed.length > 0 || this.#isChanged || this.#failure !== undefined
  }

  /** What comes next, once all commits before it are out. */
  next(lastVersion: bigint): Entry | undefined {
    if (this.#failure !== undefined) throw this.#failure
    this.#lastVersion = lastVersion
    const isChanged = this.#isChanged
    this.#isChanged = false
    const chunk = this.#passed.shift()
    const entry =
      chunk === undefined
        ? isChanged && { records: [], lastVersion }
        : this.#enter(chunk, lastVersion)
    this.#fill()
    return entry || undefined
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
    this.#xid = this.#streamed.add(xid)
    if (!isWhole) this.#interrupt(() => true, 'a commit went out in part before')
    const most = this.#runs.length > 0 ? mostStreamed : 10 * mostStreamed
    if (this.#streamed.all.length > most) void this.#forget()
  }

  change(relation: Relation, bytes: Buffer, change: ObservedChange): void {
    const { namespace, name, oid } = relation
    if (this.#plan.signalTable !== undefined && change.op === 'c') {
      if (`${namespace}.${name}` === this.#plan.signalTable) this.#signal(change.value)
    }
    if (this.#runs.length === 0) return
    for (const { run, window } of this.#chunks.values()) {
      if (run.table?.relation.oid === oid) window?.observe(this.#xid, change)
    }
    if (change.oldKey === null || change.unchanged === undefined || change.key === null) return
    for (const run of this.#runs) {
      if (run.name !== `${namespace}.${name}`) continue
      const key = run.key && keyOf(run.key, relation, bytes)
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
      if (concerns(chunk)) chunk.window?.interrupt(this.#xid, why)
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
    for (const { id } of run.open) this.#chunks.delete(id)
    this.#runs = this.#runs.filter((other) => other !== run)
    this.#plan.progress.end(run.name, outcome)
    this.#isChanged = true
  }

  /** The chunk's rows as a commit, and the sweep if that was the run's last. */
  #enter(chunk: OpenChunk, lastVersion: bigint): Entry {
    const { run, window, range, id } = chunk
    this.#chunks.delete(id)
    run.open.delete(chunk)
    if (run.isCancelled) return { records: [], lastVersion }
    if (window!.spoiled !== undefined) {
      run.putBack(range)
      return { records: [], lastVersion }
    }
    const { relation } = chunk.table!
    const rows = window!.take()
    const records: OpenRecord[] = []
    let version = lastVersion
    if (rows.length > 0) records.push(...this.#writer.commit(relation, rows, ++version))
    run.rows += rows.length
    for (const { key } of rows) run.fillHole(key)
    this.#plan.progress.add(run.name, rows.length)
    if (run.isDone) {
      if (run.sweep) records.push(this.#writer.sweep(relation, run.from!, ++version, chunk.lsn))
      this.#runs = this.#runs.filter((other) => other !== run)
      this.#plan.progress.end(run.name)
      if (run.where === undefined) this.#unread = this.#unread.filter((name) => name !== run.name)
    }
    return { records, lastVersion: version }
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
      run.from ??= this.#lastVersion + 1n
      chunk.window = new ChunkWindow(this.#streamed.all)
      const isWaiting = await reader.read(chunk, chunk.window, signal)
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

/** The text of the key's columns in a row of the stream. */
function keyOf(
  key: readonly string[],
  { row, columns, key: own }: Relation,
  bytes: Buffer,
): KeyText | undefined {
  const texts: string[] = []
  for (const name of key) {
    const slot = [...columns, ...own].find((column) => column.name === name)?.slot
    if (slot === undefined || row.starts[slot]! < 0) return undefined
    texts.push(bytes.toString('utf8', row.starts[slot]!, row.ends[slot]!))
  }
  return texts
}
