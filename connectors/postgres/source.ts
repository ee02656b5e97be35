import { setTimeout as sleep } from 'node:timers/promises'
import type { Client } from 'pg'
import { MillraceError } from '../../src/core/errors.ts'
import type { Connector, ConnectorContext, ConnectorStatus } from '../../src/core/plugin.ts'
import type { NewRecord } from '../../src/core/record.ts'
import { type Batch, type Position, stopReason } from '../../src/core/source.ts'
import { Connections } from './connections.ts'
import { moved, withoutRows } from './moved.ts'
import { type PostgresOptions, type ResolvedOptions, resolveOptions } from './options.ts'
import { acknowledged, decodePosition, encodePosition, type PostgresPosition } from './position.ts'
import { Claim } from './slot/claim.ts'
import { Heartbeat, heartbeatTopic } from './slot/heartbeat.ts'
import { dropOnStop } from './slot/life.ts'
import { ensurePublication } from './slot/publication.ts'
import { joinPublished, PublicationWatch, readPublished } from './slot/publication-watch.ts'
import { RestartPoint } from './slot/restart-point.ts'
import {
  checkWalLevel,
  createSlot,
  exportSnapshot,
  identify,
  readSenderTimeoutMs,
} from './slot/slot.ts'
import { WalWatch } from './slot/wal-watch.ts'
import { defaultChunkPages } from './snapshot/bounds.ts'
import { IncrementalSnapshot } from './snapshot/incremental.ts'
import { isGap, readHorizon } from './snapshot/plan.ts'
import { SnapshotProgress } from './snapshot/progress.ts'
import type { SnapshotCommand } from './snapshot/signal.ts'
import { copyTables } from './snapshot/snapshot.ts'
import { XminWatch } from './snapshot/xmin.ts'
import { begin, planStart, publishedTables } from './start.ts'
import { describeTable, findTables, type Table } from './tables.ts'
import type { Origin } from './wal/envelope-writer.ts'
import { formatLsn, type Lsn } from './wal/lsn.ts'
import { Relations } from './wal/relations.ts'
import { streamChanges } from './wal/stream.ts'
import { StreamedTransactions } from './wal/streamed.ts'

/** How often status asks the server for the WAL that it keeps. */
const sampleMs = 2_000

/** How much at once; by default as much as is good for throughput. */
export interface SourceSizes {
  /** Of records that go out together. */
  readonly batchBytes?: number
  /** Pages of a table that one connection reads in one go. */
  readonly chunkPages?: number
}

/** Reads a database: first the rows that are there, then every change. */
export class PostgresSource implements Connector {
  readonly name: string
  readonly #options: ResolvedOptions
  readonly #say: (line: string) => void
  /** Without a directory for them, the server keeps transactions until they end. */
  #streamed: StreamedTransactions | undefined
  readonly #directory: string | undefined
  readonly #batchBytes: number | undefined
  readonly #chunkPages: number
  #phase: ConnectorStatus['phase'] = 'connecting'
  readonly #wal: WalWatch
  readonly #claim: Claim
  #watch: PublicationWatch | undefined
  #acked: Lsn = 0n
  #position: PostgresPosition | undefined
  readonly #progress: SnapshotProgress
  #incremental: IncrementalSnapshot | undefined
  readonly #xmin = new XminWatch()
  /** With `snapshot.mode: always`: this process has not yet begun its snapshot. */
  #isFirst = true
  /** Met while streaming; a new snapshot is to make it good. */
  #gap: MillraceError | undefined

  constructor(
    options: PostgresOptions,
    { pipeline, name, say, directory }: ConnectorContext,
    { batchBytes, chunkPages = defaultChunkPages }: SourceSizes = {},
  ) {
    this.name = name
    this.#directory = directory
    this.#batchBytes = batchBytes
    this.#chunkPages = chunkPages
    this.#options = resolveOptions(options, pipeline, name, say)
    this.#say = say
    if (this.#options.streaming && directory !== undefined) {
      this.#streamed = new StreamedTransactions(directory)
    }
    this.#wal = new WalWatch(this.#options.slot, say)
    this.#claim = new Claim(this.#options.url, this.#options.slot)
    this.#progress = new SnapshotProgress(say, this.#options.snapshots.rowsPerSecond)
  }

  get topics(): readonly string[] {
    const { tables, prefix, naming, life } = this.#options
    const topics = tables.map((table) => {
      const [namespace = '', name = ''] = table.split(/\.(.*)/s)
      return naming.placeOf({ namespace, name }).topic
    })
    const beats = life.heartbeat ? [heartbeatTopic(life.heartbeat, prefix)] : []
    return [...new Set([...topics, ...naming.topics, ...beats])]
  }

  status(): ConnectorStatus {
    const { slot, publication } = this.#options
    const read = this.#position === undefined ? '' : formatLsn(acknowledged(this.#position))
    const snapshot = this.#snapshotStatus()
    const kept = this.#streamed?.kept
    const detail = {
      ...(kept?.transactions && {
        ...{ 'streamed.transactions': kept.transactions, 'streamed.bytes': kept.bytes },
      }),
      ...{ slot, publication, ...(read && { position: read }), ...this.#wal.detail },
      ...(snapshot && { snapshot }),
    }
    return { phase: this.#phase, retainedBytes: this.#wal.unreadBytes, detail }
  }

  /** Does what the command line asks of snapshots that are taken while streaming goes on. */
  snapshot(command: SnapshotCommand): string {
    if (this.#incremental === undefined) {
      throw new MillraceError('TARGET_BUSY', `${this.name} is not streaming yet.`)
    }
    return this.#incremental.command(command)
  }

  #snapshotStatus(): string {
    const paused = this.#incremental?.isPaused && this.#incremental.isActive ? 'paused: ' : ''
    return `${paused}${this.#progress.describe()}`
  }

  /** The slot keeps WAL while nobody reads it. */
  async watch(signal: AbortSignal): Promise<void> {
    const session = new Connections(this.#options)
    try {
      while (!signal.aborted) {
        await this.#wal.sample(() => session.sql())
        await sleep(sampleMs, undefined, { signal }).catch(() => {})
      }
    } finally {
      this.#wal.forget()
      await session.close()
    }
  }

  /** No other process reads the slot, or copies tables for it, from here to the end of `read`. */
  async claim(signal: AbortSignal): Promise<void> {
    await this.#claim.take(signal)
  }

  /** Another server, or a gap, is an error of `read`: no new generation could mend it. */
  async knows(): Promise<boolean> {
    return true
  }

  ack(position: Position): void {
    this.#position = decodePosition(position)
    this.#acked = acknowledged(this.#position)
  }

  read(from: Position | undefined, signal: AbortSignal): AsyncGenerator<Batch<NewRecord>> {
    return this.#claim.during((either) => this.#read(from, either), signal)
  }

  async *#read(from: Position | undefined, signal: AbortSignal): AsyncGenerator<Batch<NewRecord>> {
    for (let position = from; ; ) {
      try {
        for await (const batch of this.#connect(position, signal)) {
          position = batch.position
          yield batch
        }
        return
      } catch (error) {
        const heals = this.#options.snapshots.mode === 'when_needed'
        if (this.#phase !== 'streaming' || !heals || !isGap(error)) throw error
        this.#gap = error
      }
    }
  }

  async *#connect(
    from: Position | undefined,
    signal: AbortSignal,
  ): AsyncGenerator<Batch<NewRecord>> {
    this.#phase = 'connecting'
    const session = new Connections(this.#options)
    const streamed = this.#streamed
    const sampling = setInterval(() => this.#sample(session), sampleMs)
    // What is asked before the stream may wait for others: for locks, or for their transactions.
    const cut = () => void (this.#phase === 'streaming' || session.cut())
    signal.addEventListener('abort', cut, { once: true })
    try {
      yield* this.#run(session, from, signal)
    } catch (error) {
      throw this.#withoutStreaming(session.explain(error))
    } finally {
      signal.removeEventListener('abort', cut)
      clearInterval(sampling)
      this.#xmin.stop()
      this.#incremental = undefined
      this.#wal.forget()
      this.#watch = undefined
      await session.close()
      await streamed?.clear().catch(() => {}) // The next start clears, too.
      const { life } = this.#options
      if (life.dropOnStop && signal.reason === stopReason) await dropOnStop(this.#options)
    }
  }

  async *#run(
    session: Connections,
    from: Position | undefined,
    signal: AbortSignal,
  ): AsyncGenerator<Batch<NewRecord>> {
    const replication = await session.replication()
    const sql = await session.sql()
    await checkWalLevel(sql)
    const server = await identify(replication)
    const tables = await findTables(sql, this.#options)
    const origin: Origin = {
      ...{ version: this.#options.version, name: this.#options.prefix },
      database: server.database,
      xmin: () => this.#xmin.value,
    }
    const relations = new Relations(this.#shown(), () => session.sql())
    const connected = { replication, sql, server, options: this.#options, say: this.#say }
    let position = from === undefined ? await begin(connected, tables) : decodePosition(from)
    if (from === undefined) yield moved(position)
    const { mode } = this.#options.snapshots
    if (position.only && mode === 'initial_only') return
    const before = encodePosition(position)
    const starting = { ...connected, isFirst: this.#isFirst, gap: this.#gap }
    position = await planStart(starting, position, tables)
    if (encodePosition(position) !== before) yield moved(position)
    this.#gap = undefined
    if (position.snapshot !== undefined) {
      const plan = { session, tables, relations, origin, position }
      for await (const batch of this.#snapshot(plan, signal)) {
        position = decodePosition(batch.position)
        yield batch
      }
      if (signal.aborted || position.only) return
    }
    this.#isFirst = false
    const { slot, xminMs } = this.#options
    if (xminMs > 0) await this.#xmin.start(() => session.sql(), slot, xminMs)
    this.#incremental = await this.#openIncremental(session, origin, position, tables)
    // The snapshot may have taken long enough to lose the first connection.
    const asking = await session.sql()
    const published = await this.#published(asking, position, tables)
    if (JSON.stringify(published) !== JSON.stringify(position.published)) {
      position = { ...position, published }
      yield moved(position)
    }
    this.#watch = new PublicationWatch(this.#options.publication, tables, published)
    await this.#watch.look(asking)
    await this.#streamed?.clear()
    this.#phase = 'streaming'
    this.#acked = acknowledged(position)
    yield* streamChanges(
      {
        ...{ heartbeat: this.#heartbeat(session), timeoutMs: await readSenderTimeoutMs(asking) },
        restartPoint: new RestartPoint({ sql: () => session.sql(), say: this.#say }),
        ...{ incremental: this.#incremental, published: this.#watch, streamed: this.#streamed },
        ...{ client: replication, url: this.#options.url, position, relations, origin },
        publication: this.#options.publication,
        decoding: this.#options.decoding,
        batchBytes: this.#batchBytes,
        acknowledged: () => this.#acked,
      },
      signal,
    )
  }

  /**
   * Some transactions cannot be read while they are in progress: where one alters a table, takes
   * that back and alters it again, PostgreSQL itself fails (seen in 18.4). Ended, they can.
   */
  #withoutStreaming(error: unknown): unknown {
    const isRefused = error instanceof MillraceError && error.code === 'SERVER_ERROR'
    if (!isRefused || this.#phase !== 'streaming' || this.#streamed === undefined) return error
    this.#streamed = undefined
    const message = `${error.message} From now on transactions are read when they have ended.`
    return new MillraceError('CONNECTION_LOST', message, { cause: error })
  }

  async #published(sql: Client, { published }: PostgresPosition, tables: readonly Table[]) {
    const now = await readPublished(sql, this.#options.publication, tables)
    return joinPublished(published, now, tables)
  }

  /** The stream shows signals, too. */
  #shown(): ResolvedOptions {
    const { selectsTable, snapshots } = this.#options
    const isStreamed = (name: string) => name === snapshots.signalTable || selectsTable(name)
    return { ...this.#options, selectsTable: isStreamed }
  }

  #heartbeat(session: Connections): Heartbeat | undefined {
    const { life, prefix } = this.#options
    if (life.heartbeat === undefined) return undefined
    const sql = () => session.sql()
    return new Heartbeat({ options: life.heartbeat, prefix, sql, say: this.#say })
  }

  async #openIncremental(
    session: Connections,
    origin: Origin,
    position: PostgresPosition,
    tables: readonly Table[],
  ): Promise<IncrementalSnapshot> {
    const { url, publication, snapshots, selectsTable, naming } = this.#options
    const { signalTable, threads, chunkRows } = snapshots
    const [namespace = '', name = ''] = signalTable?.split(/\.(.*)/s) ?? []
    const isMuted = signalTable !== undefined && !selectsTable(signalTable)
    return new IncrementalSnapshot({
      ...{ url, origin, publication, threads, chunkRows, signalTable },
      ...{ chunkPages: this.#chunkPages, directory: this.#directory },
      ...{ progress: this.#progress, say: this.#say, state: position.incremental },
      unread: position.unread ?? [],
      relations: new Relations(this.#options, () => session.sql()),
      open: () => session.open(),
      sql: () => session.sql(),
      tables: tables.map(describeTable),
      mutedTopic: isMuted ? naming.placeOf({ namespace, name }).topic : undefined,
      ...(await readHorizon(await session.sql())),
    })
  }

  async *#snapshot(
    plan: {
      readonly session: Connections
      readonly tables: readonly Table[]
      readonly relations: Relations
      readonly origin: Origin
      readonly position: PostgresPosition
    },
    signal: AbortSignal,
  ): AsyncGenerator<Batch<NewRecord>> {
    const { session, tables } = plan
    this.#phase = 'snapshot'
    const { slot, publication, url } = this.#options
    const { viaRoot, life } = this.#options
    const publishing = { publication, viaRoot, autocreate: life.autocreate }
    const { mode, threads } = this.#options.snapshots
    const sql = await session.sql()
    const only = mode === 'initial_only'
    if (!only) {
      const made = await ensurePublication(
        sql,
        publishing,
        await publishedTables(sql, tables, this.#options),
      )
      if (made !== 'unchanged') this.#say(`publication ${publication} ${made}`)
    }
    const published = only ? undefined : await readPublished(sql, publication, tables)
    const position = { ...plan.position, published }
    const wanted = { slot, failover: life.failover }
    const replication = await session.replication()
    const created = only
      ? await exportSnapshot(await session.open())
      : await createSlot(replication, sql, wanted)
    if (!only) this.#say(`slot ${slot} created at ${formatLsn(created.consistentPoint)}`)
    if (mode === 'no_data') {
      yield withoutRows(position, created.consistentPoint)
      return
    }
    yield* copyTables(
      {
        ...{ url, tables, relations: plan.relations, origin: plan.origin, publication },
        ...{ ...created, position, only, threads, progress: this.#progress },
        batchBytes: this.#batchBytes,
        chunkPages: this.#chunkPages,
        open: () => session.open(),
        sql: () => session.sql(),
      },
      signal,
    )
  }

  async #sample(session: Connections): Promise<void> {
    if (this.#phase === 'connecting') return
    await this.#wal.sample(() => session.sql())
    // Whoever reads the stream reports what is wrong with the connection.
    await session
      .sql()
      .then((sql) => this.#watch?.look(sql))
      .catch(() => {})
  }
}
