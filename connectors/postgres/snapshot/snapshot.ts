import type { Client } from 'pg'
import { MillraceError } from '../../../src/core/errors.ts'
import type { NewRecord } from '../../../src/core/record.ts'
import type { Batch } from '../../../src/core/source.ts'
import type { PostgresPosition } from '../position.ts'
import { quoteLiteral } from '../session.ts'
import { sampleWal } from '../slot/wal-budget.ts'
import { describeTable, quoteTable, type Table } from '../tables.ts'
import type { Origin } from '../wal/envelope-writer.ts'
import type { Lsn } from '../wal/lsn.ts'
import type { Relations } from '../wal/relations.ts'
import { cutTable } from './bounds.ts'
import { ChunkConnection } from './chunk-connection.ts'
import type { ChunkRange } from './chunk-range.ts'
import { describeChunks, selectChunk } from './chunk-table.ts'
import { SnapshotEmission, type TableCopy } from './emission.ts'
import { Handoff } from './handoff.ts'
import type { SnapshotProgress } from './progress.ts'
import { type PackedRows, PackingRoom, RowPacker } from './row-packer.ts'
import { RowWriter } from './rows.ts'

/** Rows go out after so many bytes, as a commit of their own. */
const defaultBatchBytes = 4 * 1024 * 1024
/** How often we ask for the WAL that the server keeps meanwhile. */
const budgetMs = 2_000

export interface SnapshotPlan {
  readonly url: string
  readonly origin: Origin
  readonly tables: readonly Table[]
  readonly relations: Relations
  readonly publication: string
  /** The exported snapshot's name, and the LSN it was taken at. */
  readonly snapshot: string
  readonly consistentPoint: Lsn
  readonly position: PostgresPosition
  readonly progress: SnapshotProgress
  /** Connections that read. */
  readonly threads: number
  readonly batchBytes?: number | undefined
  /** Pages of a chunk; less than that is read soonest by one connection. */
  readonly chunkPages: number
  /** Nothing will be streamed: what cannot be read in this snapshot cannot be read later. */
  readonly only: boolean
  /** Opens a connection of its own; closed by the caller. */
  readonly open: () => Promise<Client>
  readonly sql: () => Promise<Client>
}

/**
 * Copies the tables as of an exported snapshot, several ranges at a time. The bytes of a row are
 * those which the stream would give. The last batch ends the snapshot: what follows is the stream
 * from `consistentPoint` on.
 */
export async function* copyTables(
  plan: SnapshotPlan,
  signal: AbortSignal,
): AsyncGenerator<Batch<NewRecord>> {
  const ended = new AbortController()
  const either = AbortSignal.any([signal, ended.signal])
  const connections: ChunkConnection[] = []
  try {
    connections.push(await join(plan, either))
    const { copies, rewritten } = await prepare(plan, connections[0]!, either)
    const jobs = copies.flatMap((copy) => [...copy.left].map((range) => ({ copy, range })))
    while (connections.length < Math.min(worthwhile(plan, copies), jobs.length)) {
      connections.push(await join(plan, either))
    }
    const emission = new SnapshotEmission(plan, copies, rewritten)
    const handoff = new Handoff<CopiedRows>()
    const room = new PackingRoom(plan.batchBytes ?? defaultBatchBytes)
    const working = connections.map((connection) =>
      copyRanges({ plan, connection, jobs, handoff, room }, either),
    )
    Promise.all(working).then(
      () => handoff.close(),
      (error) => handoff.fail(error),
    )
    if (signal.aborted) return
    yield emission.begin()
    const late = watchBudget(plan, either)
    for await (const { copy, rows, ended } of handoff.items(either)) {
      yield* emission.add(copy, rows, ended)
      if (late.isDue) break
    }
    if (signal.aborted) return
    if (late.isDue) yield emission.handOver()
    else yield* emission.finish()
  } finally {
    // A server in the middle of a table would not read our goodbye, and keep its locks for ever.
    ended.abort()
    for (const connection of connections) connection.destroy()
  }
}

/** A connection more pays only where there is a large table to read. */
function worthwhile({ threads, chunkPages }: SnapshotPlan, copies: readonly TableCopy[]): number {
  const pages = copies.reduce((sum, { table }) => sum + table.pages, 0)
  return Math.min(threads, Math.max(1, Math.floor(pages / chunkPages)))
}

/**
 * No WAL is read while the tables are copied. Once the server keeps half of what it may for the
 * slot, the rest of the tables is better read while the stream goes on.
 */
function watchBudget(plan: SnapshotPlan, signal: AbortSignal): { readonly isDue: boolean } {
  const late = { isDue: false }
  if (plan.only) return late
  const timer = setInterval(async () => {
    const sample = await sampleWal(await plan.sql(), plan.position.slot).catch(() => null)
    const { retainedBytes = 0, limitBytes = null } = sample ?? {}
    if (limitBytes !== null && retainedBytes > limitBytes / 2) late.isDue = true
  }, budgetMs)
  signal.addEventListener('abort', () => clearInterval(timer), { once: true })
  return late
}

interface CopiedRows {
  readonly copy: TableCopy
  readonly rows: PackedRows | undefined
  /** The range that these rows are the last of. */
  readonly ended: ChunkRange | undefined
}

/** A connection inside the exported snapshot. */
async function join(plan: SnapshotPlan, signal: AbortSignal): Promise<ChunkConnection> {
  const connection = new ChunkConnection(await plan.open(), plan.url)
  const run = (sql: string) => connection.rows({ sql }, signal)
  await run('SET idle_in_transaction_session_timeout = 0')
  await run('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY')
  await run(`SET TRANSACTION SNAPSHOT ${quoteLiteral(plan.snapshot)}`)
  return connection
}

/** Keeps the tables as they are until all is copied, and cuts them into ranges. */
async function prepare(plan: SnapshotPlan, connection: ChunkConnection, signal: AbortSignal) {
  const names = plan.tables.map(quoteTable).join(', ')
  if (names !== '') {
    await connection.rows({ sql: `LOCK TABLE ${names} IN ACCESS SHARE MODE` }, signal)
  }
  const copies: TableCopy[] = []
  const rewritten: string[] = []
  const sql = await plan.sql()
  for (const table of plan.tables) {
    if (await isRewritten(connection, table, signal)) {
      if (plan.only) throw rewrittenTable(table)
      rewritten.push(describeTable(table))
      continue
    }
    const described = await describeChunks({ ...plan, sql }, table)
    const ranges = await cutTable(connection, described, plan.chunkPages, signal)
    copies.push({ table: described, left: new Set(ranges), unread: ranges.length, held: undefined })
  }
  return { copies, rewritten }
}

/** A table rewritten since the snapshot reads as empty in it, and no error would say so. */
async function isRewritten(
  connection: ChunkConnection,
  { oid }: Table,
  signal: AbortSignal,
): Promise<boolean> {
  const rows = await connection.rows(
    {
      sql: `SELECT 1 FROM pg_catalog.pg_class c
             WHERE relkind = 'r' AND relfilenode <> pg_relation_filenode(oid)::oid
               AND (oid = $1::oid
                    OR oid IN (SELECT relid FROM pg_partition_tree($1::oid::regclass)))`,
      values: [String(oid)],
    },
    signal,
  )
  return rows.length > 0
}

function rewrittenTable(table: Table): MillraceError {
  const message = `Table ${describeTable(table)} was rewritten while the snapshot began.`
  return new MillraceError('CONNECTION_LOST', message)
}

interface Copying {
  readonly plan: SnapshotPlan
  readonly connection: ChunkConnection
  readonly jobs: { readonly copy: TableCopy; readonly range: ChunkRange }[]
  readonly handoff: Handoff<CopiedRows>
  readonly room: PackingRoom
}

async function copyRanges(copying: Copying, signal: AbortSignal): Promise<void> {
  const { plan, connection, jobs, handoff, room } = copying
  const writer = new RowWriter(plan.origin, 'true')
  const lsn = Number(plan.consistentPoint)
  for (;;) {
    const job = jobs.shift()
    if (job === undefined || signal.aborted) return
    const { table } = job.copy
    const name = describeTable(table.table)
    plan.progress.begin(name, table.rows)
    const packer = new RowPacker(writer, table.relation, lsn, room)
    const give = async (rows: PackedRows | undefined, ended?: ChunkRange) => {
      const count = rows?.ends.length ?? 0
      plan.progress.add(name, count)
      await plan.progress.pace(count, signal)
      await handoff.give({ copy: job.copy, rows, ended })
    }
    const onRow = (bytes: Buffer, start: number) => {
      packer.add(bytes, start)
      return packer.isFull ? give(packer.take()) : undefined
    }
    await connection.read(selectChunk(table, job.range), onRow, signal)
    if (!signal.aborted) await give(packer.take(), job.range)
  }
}
