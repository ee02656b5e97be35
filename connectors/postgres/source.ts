import type { Client } from 'pg'
import { MillraceError } from '../../src/core/errors.ts'
import type { Connector, ConnectorContext, ConnectorStatus } from '../../src/core/plugin.ts'
import type { NewRecord } from '../../src/core/record.ts'
import type { Batch, Position } from '../../src/core/source.ts'
import { Connections } from './connections.ts'
import { type PostgresOptions, type ResolvedOptions, resolveOptions } from './options.ts'
import { acknowledged, decodePosition, encodePosition, type PostgresPosition } from './position.ts'
import { Heartbeat, heartbeatTopic } from './slot/heartbeat.ts'
import { adopt, type Connected, dropOnStop, resume, stopReason } from './slot/life.ts'
import { ensurePublication } from './slot/publication.ts'
import { PublicationWatch } from './slot/publication-watch.ts'
import {
  checkWalLevel,
  createSlot,
  identify,
  type NewSlot,
  readSenderTimeoutMs,
} from './slot/slot.ts'
import { WalWatch } from './slot/wal-watch.ts'
import { defaultChunkPages } from './snapshot/bounds.ts'
import { IncrementalSnapshot } from './snapshot/incremental.ts'
import { newRun } from './snapshot/incremental-state.ts'
import {
  addRuns,
  continueSnapshot,
  followTables,
  isGap,
  readHorizon,
  snapshotAgain,
  unpublish,
} from './snapshot/plan.ts'
import { SnapshotProgress } from './snapshot/progress.ts'
import type { SnapshotCommand } from './snapshot/signal.ts'
import { copyTables } from './snapshot/snapshot.ts'
import { XminWatch } from './snapshot/xmin.ts'
import { describeTable, findTable, findTables, type Table } from './tables.ts'
import type { Origin } from './wal/envelope-writer.ts'
import { formatLsn, type Lsn, parseLsn } from './wal/lsn.ts'
import { Relations, topicOf } from './wal/relations.ts'
import { streamChanges } from './wal/stream.ts'

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
  readonly #batchBytes: number | undefined
  readonly #chunkPages: number
  #phase: ConnectorStatus['phase'] = 'connecting'
  readonly #wal: WalWatch
  #watch: PublicationWatch | undefined
  #acked: Lsn = 0n
  #position: PostgresPosition | undefined
  readonly #progress: SnapshotProgress
  #incremental: IncrementalSnapshot | undefined
  readonly #xmin = new XminWatch()
  /** With `snapshot.mode: always`: this process has not yet begun its snapshot. */
  #isFirst = true

  constructor(
    options: PostgresOptions,
    { pipeline, name, say }: ConnectorContext,
    { batchBytes, chunkPages = defaultChunkPages }: SourceSizes = {},
  ) {
    this.name = name
    this.#batchBytes = batchBytes
    this.#chunkPages = chunkPages
    this.#options = resolveOptions(options, pipeline, name)
    this.#say = say
    this.#wal = new WalWatch(this.#options.slot, say)
    this.#progress = new SnapshotProgress(say, this.#options.snapshots.rowsPerSecond)
  }

  get topics(): readonly string[] {
    const { tables, prefix, life } = this.#options
    const topics = tables.map((table) => {
      const [namespace = '', name = ''] = table.split(/\.(.*)/s)
      return topicOf(prefix, { namespace, name })
    })
    return life.heartbeat ? [...topics, heartbeatTopic(life.heartbeat, prefix)] : topics
  }

  status(): ConnectorStatus {
    const { slot, publication } = this.#options
    const read = this.#position === undefined ? '' : formatLsn(acknowledged(this.#position))
    const snapshot = this.#snapshotStatus()
    const detail = {
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

  /** Another server, or a gap, is an error of `read`: no new generation could mend it. */
  async knows(): Promise<boolean> {
    return true
  }

  ack(position: Position): void {
    this.#position = decodePosition(position)
    this.#acked = acknowledged(this.#position)
  }

  async *read(from: Position | undefined, signal: AbortSignal): AsyncGenerator<Batch<NewRecord>> {
    this.#phase = 'connecting'
    const session = new Connections(this.#options)
    const sampling = setInterval(() => this.#sample(session), sampleMs)
    // What is asked before the stream may wait for others: for locks, or for their transactions.
    const cut = () => void (this.#phase === 'streaming' || session.cut())
    signal.addEventListener('abort', cut, { once: true })
    try {
      yield* this.#run(session, from, signal)
    } catch (error) {
      throw session.explain(error)
    } finally {
      signal.removeEventListener('abort', cut)
      clearInterval(sampling)
      this.#xmin.stop()
      this.#incremental = undefined
      this.#wal.forget()
      this.#watch = undefined
      await session.close()
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
    const relations = new Relations(this.#streamed(), () => session.sql())
    const { life } = this.#options
    const connected = { replication, sql, server, options: this.#options, say: this.#say }
    let position = from === undefined ? undefined : decodePosition(from)
    if (position === undefined) {
      position = life.adopt ? await adopt(connected, tables) : this.#intent(server, tables)
      yield { records: [], position: encodePosition(position), complete: true }
    }
    const { mode } = this.#options.snapshots
    if (position.only && mode === 'initial_only') return
    const before = encodePosition(position)
    position = await this.#plan(connected, position, tables)
    const planned = encodePosition(position)
    if (planned !== before) yield { records: [], position: planned, complete: true }
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
    this.#watch = new PublicationWatch(this.#options.publication, tables)
    // The snapshot may have taken long enough to lose the first connection.
    const asking = await session.sql()
    await this.#watch.look(asking)
    this.#phase = 'streaming'
    this.#acked = acknowledged(position)
    yield* streamChanges(
      {
        ...{ heartbeat: this.#heartbeat(session), timeoutMs: await readSenderTimeoutMs(asking) },
        ...{ incremental: this.#incremental, published: this.#watch },
        ...{ client: replication, url: this.#options.url, position, relations, origin },
        publication: this.#options.publication,
        decoding: this.#options.decoding,
        batchBytes: this.#batchBytes,
        acknowledged: () => this.#acked,
      },
      signal,
    )
  }

  /** The stream shows signals, too. */
  #streamed(): ResolvedOptions {
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

  /**
   * Recorded before the slot is made, so that a crash in between leaves no slot unaccounted for.
   */
  #intent(
    { systemId, timeline }: { readonly systemId: string; readonly timeline: number },
    tables: readonly Table[],
  ): PostgresPosition {
    return {
      ...{ systemId, timeline, slot: this.#options.slot, tables: tables.map(describeTable) },
      ...{ commit: 0n, ordinal: 0, held: [], commitEnd: 0n, lastVersion: 0n },
      snapshot: { phase: 'intent', from: 0n, again: false },
    }
  }

  /**
   * What to do first: a snapshot, or the stream, with what is left of snapshots in the position.
   */
  async #plan(
    connected: Connected,
    position: PostgresPosition,
    tables: readonly Table[],
  ): Promise<PostgresPosition> {
    const { mode } = this.#options.snapshots
    if (position.snapshot?.phase === 'intent')
      return { ...position, tables: tables.map(describeTable) }
    const isPartial = position.snapshot !== undefined
    const again = () => snapshotAgain(position, connected.server, tables)
    if (position.only || mode === 'initial_only') return again()
    try {
      const resumed = await resume(connected, continueSnapshot(position), tables)
      return await this.#followTables(connected, resumed, tables)
    } catch (error) {
      // A snapshot that is not complete is nothing that a person would have to decide on.
      if (!isGap(error) || (mode !== 'when_needed' && !isPartial)) throw error
      this.#say(`${error.message} A new snapshot is taken.`)
      return again()
    }
  }

  async #followTables(
    { sql }: Connected,
    position: PostgresPosition,
    tables: readonly Table[],
  ): Promise<PostgresPosition> {
    const { publication, slot, snapshots, life, viaRoot } = this.#options
    const names = tables.map(describeTable)
    const isNew = names.some((name) => !position.tables.includes(name))
    if (isNew || snapshots.signalTable !== undefined) {
      const publishing = { publication, viaRoot, autocreate: life.autocreate }
      await ensurePublication(sql, publishing, await this.#published(sql, tables))
    }
    const removed = position.tables.filter((name) => !names.includes(name))
    if (removed.length > 0 && publication === slot && life.autocreate === 'filtered') {
      await unpublish(
        sql,
        publication,
        removed.filter((name) => name !== snapshots.signalTable),
      )
    }
    const { mode } = snapshots
    const followed = await followTables(sql, position, tables, { reads: mode !== 'no_data' })
    if (mode !== 'always' || !this.#isFirst || followed.incremental) return followed
    return addRuns(
      followed,
      names.map((name) => newRun(name)),
    )
  }

  /** The tables that are read, and that of the signals. */
  async #published(sql: Client, tables: readonly Table[]): Promise<readonly Table[]> {
    const { signalTable } = this.#options.snapshots
    if (signalTable === undefined) return tables
    if (tables.some((table) => describeTable(table) === signalTable)) return tables
    const table = await findTable(sql, signalTable)
    if (table !== undefined) return [...tables, table]
    throw new MillraceError('TABLE_MISSING', `The database has no table ${signalTable}.`)
  }

  async #openIncremental(
    session: Connections,
    origin: Origin,
    position: PostgresPosition,
    tables: readonly Table[],
  ): Promise<IncrementalSnapshot> {
    const { url, publication, snapshots, selectsTable, prefix } = this.#options
    const { signalTable, threads, chunkRows } = snapshots
    const [namespace = '', name = ''] = signalTable?.split(/\.(.*)/s) ?? []
    const isMuted = signalTable !== undefined && !selectsTable(signalTable)
    return new IncrementalSnapshot({
      ...{ url, origin, publication, threads, chunkRows, signalTable },
      chunkPages: this.#chunkPages,
      ...{ progress: this.#progress, say: this.#say, state: position.incremental },
      unread: position.unread ?? [],
      relations: new Relations(this.#options, () => session.sql()),
      open: () => session.open(),
      sql: () => session.sql(),
      tables: tables.map(describeTable),
      mutedTopic: isMuted ? topicOf(prefix, { namespace, name }) : undefined,
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
    const { session, tables, position } = plan
    this.#phase = 'snapshot'
    const { slot, publication, url } = this.#options
    const { viaRoot, life } = this.#options
    const publishing = { publication, viaRoot, autocreate: life.autocreate }
    const { mode, threads } = this.#options.snapshots
    const sql = await session.sql()
    const only = mode === 'initial_only'
    if (!only) {
      const made = await ensurePublication(sql, publishing, await this.#published(sql, tables))
      if (made !== 'unchanged') this.#say(`publication ${publication} ${made}`)
    }
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

/** The stream begins, and nothing comes before it. */
function withoutRows(position: PostgresPosition, consistentPoint: Lsn): Batch<NewRecord> {
  const begun = {
    ...{ ...position, snapshot: undefined, unread: position.tables },
    ...{ commit: consistentPoint - 1n, commitEnd: consistentPoint },
  }
  return { records: [], position: encodePosition(begun), complete: true }
}

/** A snapshot without a slot, for those who want no stream; it lives as long as the connection. */
async function exportSnapshot(client: Client): Promise<NewSlot> {
  await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY')
  const { rows } = await client.query(
    'SELECT pg_export_snapshot() AS snapshot, pg_current_wal_insert_lsn() AS lsn',
  )
  return { consistentPoint: parseLsn(rows[0].lsn), snapshot: rows[0].snapshot }
}
