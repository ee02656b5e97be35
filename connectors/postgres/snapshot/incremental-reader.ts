import { setTimeout as sleep } from 'node:timers/promises'
import type { Client } from 'pg'
import { findTable } from '../tables.ts'
import type { Origin } from '../wal/envelope-writer.ts'
import type { Relations } from '../wal/relations.ts'
import { cutTable } from './bounds.ts'
import { ChunkConnection, readTexts } from './chunk-connection.ts'
import { type ChunkRange, wholeRange } from './chunk-range.ts'
import { type ChunkTable, describeChunks, selectChunk } from './chunk-table.ts'
import type { ChunkRow, ChunkWindow } from './chunk-window.ts'
import { parseVisibility, type Visibility } from './chunk-xids.ts'
import type { LiveRun, OpenChunk } from './incremental-run.ts'
import { RowSpill } from './row-spill.ts'
import { RowWriter } from './rows.ts'

/** Prefix of the logical messages that tell where in the stream a chunk belongs. */
export const watermarkPrefix = 'millrace.watermark'

/** How often we look whether a transaction is over. */
const lookMs = 250

export interface ChunkReading {
  readonly url: string
  readonly origin: Origin
  readonly publication: string
  /** Of snapshots only: the stream may be at another version of a table. */
  readonly relations: Relations
  readonly chunkRows: number
  /** A table of more pages is cut into ranges that are read at the same time. */
  readonly chunkPages: number
  readonly say: (line: string) => void
  /** For rows that no memory need hold. */
  readonly directory?: string | undefined
  readonly open: () => Promise<Client>
  readonly sql: () => Promise<Client>
  /** Told of every snapshot that is taken. */
  readonly onVisibility: (visibility: Visibility) => void
}

/** The table of a run does not exist any more. */
export class TableGone extends Error {}

/** The table has another key than the one that the run's ranges are told by. */
export class KeyChanged extends Error {}

/** Reads chunks, one at a time, on a connection of its own. */
export class ChunkReader {
  readonly #reading: ChunkReading
  readonly #writer: RowWriter
  #connection: ChunkConnection | undefined

  constructor(reading: ChunkReading) {
    this.#reading = reading
    this.#writer = new RowWriter(reading.origin, 'incremental')
  }

  /** Gets a run ready: finds its table, and cuts it where it is large. */
  async prepare(run: LiveRun, range: ChunkRange, signal: AbortSignal): Promise<ChunkRange> {
    const connection = await this.#connect(signal)
    await this.#waitFor(run, connection, signal)
    if (run.table !== undefined) return range
    const { key } = run
    run.table = await this.#describe(run.name)
    if (key !== undefined && String(key) !== String(run.key)) throw new KeyChanged()
    if (range !== wholeRange && !isWhole(range)) return range
    if (run.table.key.length === 0) return range
    const [first = range, ...rest] = await cutTable(
      connection,
      run.table,
      this.#reading.chunkPages,
      signal,
    )
    run.putBack(...rest)
    return first
  }

  /**
   * Reads a chunk in a snapshot of its own. The lock comes first, so that no rewrite can come
   * between the snapshot and the watermark; the watermark last, so that when the stream has come to
   * it, all that the chunk saw has been streamed. Returns whether the chunk is now waiting for it.
   */
  async read(chunk: OpenChunk, window: ChunkWindow, signal: AbortSignal): Promise<boolean> {
    const connection = await this.#connect(signal)
    const run = (sql: string, values: readonly string[] = []) =>
      connection.rows({ sql, values }, signal)
    await run('BEGIN ISOLATION LEVEL REPEATABLE READ')
    await run(`LOCK TABLE ${chunk.run.table!.from} IN ACCESS SHARE MODE`)
    await this.#enter(chunk, window, signal)
    const rows = await this.#select(chunk, signal)
    if (signal.aborted) return false
    if (window.spoiled !== undefined || chunk.run.isCancelled) {
      await run('ROLLBACK')
      return false
    }
    chunk.read = rows.length
    window.load(rows)
    await run('SELECT pg_logical_emit_message(true, $1, $2)', [watermarkPrefix, chunk.id])
    await run('COMMIT')
    return true
  }

  close(): void {
    this.#connection?.destroy()
    this.#connection = undefined
  }

  async #connect(signal: AbortSignal): Promise<ChunkConnection> {
    if (this.#connection !== undefined) return this.#connection
    const connection = new ChunkConnection(await this.#reading.open(), this.#reading.url)
    this.#connection = connection
    await connection.rows({ sql: 'SET idle_in_transaction_session_timeout = 0' }, signal)
    // The watermark must be in the WAL of this server, but need not wait for others.
    await connection.rows({ sql: 'SET synchronous_commit = local' }, signal)
    return connection
  }

  /** What was written before the table was published comes only by SELECT, so it must be over. */
  async #waitFor(run: LiveRun, connection: ChunkConnection, signal: AbortSignal): Promise<void> {
    for (let looks = 0; run.behind.length > 0 && !signal.aborted && !run.isCancelled; looks++) {
      if (looks > 0) await sleep(lookMs, undefined, { signal }).catch(() => {})
      const rows = await connection.rows({ sql: 'SELECT pg_current_snapshot()::text' }, signal)
      if (rows.length === 0) return
      const { running, xmax } = parseVisibility(rows[0]![0]!)
      run.behind = run.behind.filter((xid) => running.has(xid) || xid >= xmax)
      if (looks !== 8) continue
      this.#reading.say(`snapshot of ${run.name} waits for transactions ${run.behind.join(', ')}`)
    }
  }

  /** Takes the snapshot, and looks whether the table is as it was. */
  async #enter(chunk: OpenChunk, window: ChunkWindow, signal: AbortSignal): Promise<void> {
    const { run } = chunk
    const statement = { sql: enterSql, values: [String(run.table!.table.oid)] }
    const [row] = await this.#connection!.rows(statement, signal)
    if (row === undefined) return
    const [visibility = '', lsn = '0', signature] = row
    const sight = parseVisibility(visibility!)
    window.see(sight)
    this.#reading.onVisibility(sight)
    chunk.lsn = Number(lsn)
    if (signature !== run.signature) {
      const { key } = run
      run.table = await this.#describe(run.name)
      run.signature = signature ?? ''
      if (key !== undefined && String(key) !== String(run.key)) throw new KeyChanged()
    }
    chunk.table = run.table
  }

  /** The rows; where there are more, the rest of the range is left to be read. */
  async #select(chunk: OpenChunk, signal: AbortSignal): Promise<readonly ChunkRow[] | RowSpill> {
    const { range, run, lsn } = chunk
    const table = chunk.table!
    if (table.relation.key.length === 0) return this.#selectKeyless(chunk, signal)
    const limit = 'keys' in range || table.key.length === 0 ? undefined : this.#reading.chunkRows
    const rows: ChunkRow[] = []
    let last: string[] = []
    const statement = selectChunk(table, range, { where: run.where, ...(limit && { limit }) })
    const onRow = (bytes: Buffer, start: number) => {
      rows.push(this.#writer.row(bytes, start, table, lsn))
      if (rows.length === limit) last = readTexts(bytes, start, table.columns.length) as string[]
    }
    await this.#connection!.read(statement, onRow, signal)
    if (signal.aborted || last.length === 0 || 'keys' in range) return rows
    run.putBack({ after: last, until: range.until })
    chunk.range = { after: range.after, until: last }
    return rows
  }

  /** In one go: in the next snapshot rows may lie elsewhere, and nothing tells them apart. */
  async #selectKeyless(chunk: OpenChunk, signal: AbortSignal): Promise<RowSpill> {
    const { range, run, lsn } = chunk
    const table = chunk.table!
    const rows = new RowSpill(this.#reading.directory)
    const onRow = (bytes: Buffer, start: number) =>
      rows.add(this.#writer.row(bytes, start, table, lsn))
    await this.#connection!.read(selectChunk(table, range, { where: run.where }), onRow, signal)
    return rows
  }

  async #describe(name: string): Promise<ChunkTable> {
    const { relations, publication } = this.#reading
    const sql = await this.#reading.sql()
    const table = await findTable(sql, name)
    if (table === undefined) throw new TableGone(`the table ${name} does not exist`)
    return describeChunks({ sql, relations, publication }, table)
  }
}

function isWhole(range: ChunkRange): boolean {
  return !('keys' in range) && range.after === null && range.until === null
}

/**
 * The snapshot that the SELECT will have, and all that a change of the table's definition changes.
 */
const enterSql = `
SELECT pg_current_snapshot()::text, (pg_current_wal_insert_lsn() - '0/0'::pg_lsn)::text, (
  SELECT concat_ws(',', c.oid, c.relname, c.relreplident, string_agg(concat_ws(':',
           a.attnum, a.attname, a.atttypid, a.atttypmod, a.attisdropped), ',' ORDER BY a.attnum))
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid
   WHERE c.oid = $1::oid AND a.attnum > 0
   GROUP BY c.oid, c.relname, c.relreplident)`
