import type { Client } from 'pg'
import { MillraceError } from '../../src/core/errors.ts'
import type { Connector, ConnectorContext, ConnectorStatus } from '../../src/core/plugin.ts'
import type { NewRecord } from '../../src/core/record.ts'
import type { Batch, Position } from '../../src/core/source.ts'
import type { Origin } from './envelope-writer.ts'
import { formatLsn, type Lsn } from './lsn.ts'
import { socketOf } from './message-stream.ts'
import { type PostgresOptions, type ResolvedOptions, resolveOptions } from './options.ts'
import { acknowledged, decodePosition, encodePosition, type PostgresPosition } from './position.ts'
import { ensurePublication } from './publication.ts'
import { Relations, topicOf } from './relations.ts'
import { connect, translate } from './session.ts'
import { checkPosition, checkWalLevel, createSlot, identify, retainedBytes } from './slot.ts'
import { copyTables } from './snapshot.ts'
import { streamChanges } from './stream.ts'
import { describeTable, findTables, type Table } from './tables.ts'

/** How often status asks the server for the WAL that it keeps. */
const sampleMs = 2_000

/** Reads a database: first the rows that are there, then every change. */
export class PostgresSource implements Connector {
  readonly name: string
  readonly #options: ResolvedOptions
  readonly #say: (line: string) => void
  readonly #batchBytes: number | undefined
  #phase: ConnectorStatus['phase'] = 'connecting'
  #retained: number | null = null
  #isSampling = false
  #acked: Lsn = 0n
  #position: PostgresPosition | undefined

  /** `batchBytes`: how much goes out at once; by default as much as is good for throughput. */
  constructor(
    options: PostgresOptions,
    { pipeline, name, say }: ConnectorContext,
    { batchBytes }: { readonly batchBytes?: number } = {},
  ) {
    this.name = name
    this.#batchBytes = batchBytes
    this.#options = resolveOptions(options, pipeline, name)
    this.#say = say
  }

  get topics(): readonly string[] {
    return this.#options.tables.map((table) => {
      const [namespace = '', name = ''] = table.split(/\.(.*)/s)
      return topicOf(this.#options.prefix, { namespace, name })
    })
  }

  status(): ConnectorStatus {
    const { slot, publication } = this.#options
    const read = this.#position === undefined ? '' : formatLsn(acknowledged(this.#position))
    const detail = { slot, publication, ...(read && { position: read }) }
    return { phase: this.#phase, retainedBytes: this.#retained, detail }
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
    const session = new Session(this.#options)
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
      this.#retained = null
      await session.close()
    }
  }

  async *#run(
    session: Session,
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
    }
    const relations = new Relations(this.#options, () => session.sql())
    let position = from === undefined ? undefined : decodePosition(from)
    if (position === undefined) {
      position = this.#intent(server, tables)
      yield { records: [], position: encodePosition(position), complete: true }
    }
    refuseAddedTables(position, tables)
    if (position.snapshot !== undefined) {
      const plan = { session, tables, relations, origin, position }
      for await (const batch of this.#snapshot(plan, signal)) {
        position = decodePosition(batch.position)
        yield batch
      }
      if (signal.aborted) return
    } else await checkPosition(sql, server, position)
    this.#phase = 'streaming'
    this.#acked = acknowledged(position)
    yield* streamChanges(
      {
        ...{ client: replication, url: this.#options.url, position, relations, origin },
        publication: this.#options.publication,
        decoding: this.#options.decoding,
        batchBytes: this.#batchBytes,
        acknowledged: () => this.#acked,
      },
      signal,
    )
  }

  /** Recorded before the slot is made, so that a crash in between leaves no slot unaccounted for. */
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

  async *#snapshot(
    plan: {
      readonly session: Session
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
    const made = await ensurePublication(
      ...([await session.sql(), publication, tables, this.#options.viaRoot] as const),
    )
    if (made !== 'unchanged') this.#say(`publication ${publication} ${made}`)
    const replication = await session.replication()
    const created = await createSlot(replication, await session.sql(), slot)
    this.#say(`slot ${slot} created at ${formatLsn(created.consistentPoint)}`)
    const again = position.snapshot!.phase === 'running' || position.snapshot!.again
    const snapshot = { phase: 'intent', from: 0n, again } as const
    yield* copyTables(
      {
        ...{ url, tables, relations: plan.relations, origin: plan.origin, say: this.#say },
        ...created,
        position: { ...position, snapshot },
        batchBytes: this.#batchBytes,
        open: () => session.open(),
      },
      signal,
    )
  }

  async #sample(session: Session): Promise<void> {
    if (this.#phase !== 'streaming' || this.#isSampling) return
    this.#isSampling = true
    try {
      this.#retained = await retainedBytes(await session.sql(), this.#options.slot)
    } catch {
      this.#retained = null
    } finally {
      this.#isSampling = false
    }
  }
}

/** A table that was not in the snapshot would begin in the middle, and nothing would say so. */
function refuseAddedTables({ tables: known }: PostgresPosition, tables: readonly Table[]): void {
  const added = tables.map(describeTable).filter((table) => !known.includes(table))
  if (added.length === 0) return
  const message = `${added.join(', ')} came into the configuration after the snapshot was taken.`
  throw new MillraceError('TABLE_ADDED', message)
}

/** Codes of Node for calls that were wrong, rather than for a network that is. */
const ownFault = /^ERR_(?!TLS_)/

/** The connections of one reading: for replication, and for questions beside it. */
class Session {
  readonly #options: ResolvedOptions
  readonly #clients = new Set<Client>()
  #replication: Promise<Client> | undefined
  #sql: Promise<Client> | undefined
  #lost: Error | undefined

  constructor(options: ResolvedOptions) {
    this.#options = options
  }

  replication(): Promise<Client> {
    this.#replication ??= this.open(true)
    return this.#replication
  }

  /** Made again after it was lost: a question can be asked on any connection. */
  sql(): Promise<Client> {
    const forget = () => (this.#sql = undefined)
    this.#sql ??= this.open().then(
      (client) => client.on('end', forget),
      (error) => {
        forget()
        throw error
      },
    )
    return this.#sql
  }

  async open(replication = false): Promise<Client> {
    const client = await connect(this.#options.url, replication)
    this.#clients.add(client)
    client.on('error', (error) => (this.#lost = error))
    client.on('end', () => this.#clients.delete(client))
    return client
  }

  /** What `pg` throws on a connection that is gone has no code. */
  explain(error: unknown): unknown {
    const { code = '' } = error as { code?: string }
    const isBug = !(error instanceof Error) || (code === '' ? !this.#lost : ownFault.test(code))
    return isBug ? error : translate(error, this.#options.url)
  }

  /** Ends everything at once, also questions that the server has not answered. */
  cut(): void {
    for (const client of this.#clients) socketOf(client).destroy()
  }

  async close(): Promise<void> {
    await Promise.allSettled([this.#replication, this.#sql])
    for (const client of this.#clients) client.end().catch(() => {})
  }
}
