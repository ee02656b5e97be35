import type { Client } from 'pg'
import { MillraceError } from '../../src/core/errors.ts'
import type { Batch } from '../../src/core/source.ts'
import {
  type Commit,
  EnvelopeWriter,
  makeRecord,
  type OpenRecord,
  type Origin,
} from './envelope-writer.ts'
import type { Lsn } from './lsn.ts'
import { MessageStream, readErrorFields, socketOf } from './message-stream.ts'
import { encodePosition, type PostgresPosition } from './position.ts'
import type { Relation } from './relation.ts'
import type { Relations } from './relations.ts'
import { quoteLiteral, quoteName, translate } from './session.ts'
import { quoteTable, readRelation, type Table } from './tables.ts'
import { readDataRow } from './tuple.ts'

/** A chunk ends after so many bytes; each is a commit of its own. */
const defaultChunkBytes = 1024 * 1024

const dataRow = 0x44
const errorResponse = 0x45
const readyForQuery = 0x5a

export interface SnapshotPlan {
  readonly url: string
  readonly origin: Origin
  readonly tables: readonly Table[]
  readonly relations: Relations
  /** The exported snapshot's name, and the LSN it was taken at. */
  readonly snapshot: string
  readonly consistentPoint: Lsn
  readonly position: PostgresPosition
  readonly say: (line: string) => void
  readonly batchBytes?: number | undefined
  /** Opens a connection of its own; closed by the caller. */
  readonly open: () => Promise<Client>
}

/**
 * Copies the tables as of an exported snapshot, a chunk a commit. The bytes of a row are those which
 * the stream would give. The last batch ends the snapshot: what follows is the stream from
 * `consistentPoint` on.
 */
export async function* copyTables(
  plan: SnapshotPlan,
  signal: AbortSignal,
): AsyncGenerator<Batch<OpenRecord>> {
  const client = await plan.open()
  const progress = new Progress(plan)
  let isWhole = false
  try {
    const relations = await begin(client, plan)
    const messages = new MessageStream(client)
    for (const relation of relations) {
      yield* copyTable(messages, relation, progress, signal)
      if (signal.aborted) return
    }
    isWhole = true
    yield progress.finish(relations)
  } finally {
    // A server in the middle of a table would not read our goodbye, and keep its locks for ever.
    if (isWhole) client.end().catch(() => {})
    else socketOf(client).destroy()
  }
}

/** Enters the exported snapshot, and keeps the tables as they are in it. */
async function begin(client: Client, plan: SnapshotPlan): Promise<Relation[]> {
  try {
    await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY')
    await client.query(`SET TRANSACTION SNAPSHOT ${quoteLiteral(plan.snapshot)}`)
    const names = plan.tables.map(quoteTable).join(', ')
    if (names !== '') await client.query(`LOCK TABLE ${names} IN ACCESS SHARE MODE`)
    const relations: Relation[] = []
    for (const table of plan.tables) {
      await refuseRewritten(client, table)
      relations.push(await plan.relations.define(await readRelation(client, table)))
    }
    return relations
  } catch (error) {
    throw translate(error, plan.url)
  }
}

/** A table rewritten since the snapshot reads as empty in it, and no error would say so. */
async function refuseRewritten(client: Client, table: Table): Promise<void> {
  const { rows } = await client.query(
    `SELECT relfilenode <> pg_relation_filenode(oid)::oid AS rewritten
       FROM pg_catalog.pg_class WHERE oid = $1 AND relkind = 'r'`,
    [table.oid],
  )
  if (!rows[0]?.rewritten) return
  const message = `Table ${table.namespace}.${table.name} was rewritten while the snapshot began.`
  throw new MillraceError('CONNECTION_LOST', message)
}

async function* copyTable(
  messages: MessageStream,
  relation: Relation,
  progress: Progress,
  signal: AbortSignal,
): AsyncGenerator<Batch<OpenRecord>> {
  messages.query(selectRows(relation))
  progress.begin(relation)
  while (!signal.aborted) {
    if (!messages.next()) {
      await messages.more(1_000, signal)
      continue
    }
    const { type, bytes, start, end } = messages
    if (type === dataRow) {
      readDataRow(bytes, start, relation.row)
      progress.add(bytes, relation)
      if (progress.isFull) yield progress.chunk()
    } else if (type === errorResponse) throw translate(readErrorFields(bytes, start, end), '')
    else if (type === readyForQuery) break
  }
  if (progress.bytes > 0 && !signal.aborted) yield progress.chunk()
  progress.end(relation)
}

/** All columns of the relation in the server's order, so that slots are those of its tuples. */
function selectRows(relation: Relation): string {
  const names = [...relation.columns].sort((a, b) => a.slot - b.slot)
  const columns = names.map(({ name }) => quoteName(name)).join(', ')
  return `SELECT ${columns} FROM ${quoteTable(relation)}`
}

/** Gathers rows into chunks, gives each its version, and keeps the position. */
class Progress {
  bytes = 0
  readonly #plan: SnapshotPlan
  readonly #writer: EnvelopeWriter
  readonly #micros = BigInt(Date.now()) * 1000n
  #position: PostgresPosition
  #commit: Commit
  #records: OpenRecord[] = []
  #rows = 0

  constructor(plan: SnapshotPlan) {
    const { position, consistentPoint, origin } = plan
    const next = position.lastVersion + 1n
    const from = consistentPoint > next ? consistentPoint : next
    const again = position.snapshot?.again ?? false
    this.#plan = plan
    this.#writer = new EnvelopeWriter(origin)
    this.#position = {
      ...{ ...position, snapshot: { phase: 'running', from, again } },
      ...{ commit: consistentPoint - 1n, commitEnd: consistentPoint, lastVersion: from - 1n },
    }
    this.#commit = this.#next()
  }

  begin(relation: Relation): void {
    this.#rows = 0
    this.#plan.say(`snapshot of ${relation.namespace}.${relation.name} begins`)
  }

  end(relation: Relation): void {
    this.#plan.say(`snapshot of ${relation.namespace}.${relation.name}: ${this.#rows} rows`)
  }

  add(bytes: Buffer, relation: Relation): void {
    const { row } = relation
    const key = this.#writer.key(bytes, relation, row)
    const value = this.#writer.value(bytes, relation, this.#commit, {
      ...{ op: 'r', before: null, after: { row }, snapshot: 'true' },
      lsn: Number(this.#plan.consistentPoint),
    })
    this.#push(relation, key, value)
    this.bytes += value.length + (key?.length ?? 0)
    this.#rows++
  }

  get isFull(): boolean {
    return this.bytes >= (this.#plan.batchBytes ?? defaultChunkBytes)
  }

  chunk(): Batch<OpenRecord> {
    const records = this.#records
    for (const [i, record] of records.entries()) {
      record.endsCommit = records[i + 1]?.topic !== record.topic
    }
    this.#position = { ...this.#position, lastVersion: this.#commit.version }
    this.#records = []
    this.bytes = 0
    this.#commit = this.#next()
    return { records, position: encodePosition(this.#position), complete: true }
  }

  /** Rows of an attempt that was cut off may have gone meanwhile: a bounded truncate sweeps them. */
  finish(relations: readonly Relation[]): Batch<OpenRecord> {
    const { from, again } = this.#position.snapshot!
    for (const relation of again ? relations : []) {
      const value = this.#writer.value(Buffer.alloc(0), relation, this.#commit, {
        ...{ op: 't', before: null, after: null, snapshot: 'true' },
        lsn: Number(this.#plan.consistentPoint),
      })
      this.#push(relation, null, value, { 'millrace.sweep': String(from) })
    }
    this.#position = { ...this.#position, snapshot: undefined }
    return this.chunk()
  }

  #push(
    relation: Relation,
    key: Buffer | null,
    value: Buffer,
    headers?: Record<string, string>,
  ): void {
    const timestamp = Number(this.#micros / 1000n)
    const place = { relation, commit: this.#commit, timestamp, ordinal: this.#records.length }
    this.#records.push(makeRecord(place, key, value, headers))
  }

  #next(): Commit {
    const version = this.#position.lastVersion + 1n
    return { xid: 0, micros: this.#micros, version, previous: null }
  }
}
