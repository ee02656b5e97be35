import type { Client } from 'pg'
import { MillraceError } from '../../src/core/errors.ts'
import type { Connector, ConnectorContext, ConnectorStatus } from '../../src/core/plugin.ts'
import type { NewRecord } from '../../src/core/record.ts'
import type { Batch, Position } from '../../src/core/source.ts'
import type { Origin } from './envelope-writer.ts'
import { formatLsn, type Lsn } from './lsn.ts'
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
  #phase: ConnectorStatus['phase'] = 'connecting'
  #retained: number | null = null
  #acked: Lsn = 0n
  #position: PostgresPosition | undefined

  constructor(options: PostgresOptions, { pipeline, name, say }: ConnectorContext) {
    this.name = name
    this.#options = resolveOptions(options, pipeline, name)
    this.#say = say
  }

  get topics(): readonly string[] {
    return this.#options.tables
      .filter((pattern) => !pattern.includes('*'))
      .map((pattern) => {
        const [namespace = '', name = ''] = pattern.split(/\.(.*)/s)
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
    try {
      yield* this.#run(session, from, signal)
    } catch (error) {
      throw error instanceof Error && 'code' in error ? translate(error, this.#options.url) : error
    } finally {
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
    const tables = await findTables(sql, this.#options.tables)
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
    const made = await ensurePublication(await session.sql(), publication, tables)
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
        open: () => connect(url),
      },
      signal,
    )
  }

  async #sample(session: Session): Promise<void> {
    if (this.#phase !== 'streaming') return
    try {
      this.#retained = await retainedBytes(await session.sql(), this.#options.slot)
    } catch {
      this.#retained = null
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

/** The two connections of one reading: for replication, and for questions beside it. */
class Session {
  readonly #options: ResolvedOptions
  #replication: Promise<Client> | undefined
  #sql: Promise<Client> | undefined

  constructor(options: ResolvedOptions) {
    this.#options = options
  }

  replication(): Promise<Client> {
    this.#replication ??= connect(this.#options.url, true)
    return this.#replication
  }

  sql(): Promise<Client> {
    this.#sql ??= connect(this.#options.url)
    return this.#sql
  }

  async close(): Promise<void> {
    const clients = await Promise.allSettled([this.#replication, this.#sql])
    for (const client of clients) {
      if (client.status === 'fulfilled') client.value?.end().catch(() => {})
    }
  }
}
