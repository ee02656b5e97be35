import { asRecords } from '../../../src/core/packed-records.ts'
import type { NewRecord } from '../../../src/core/record.ts'
import type { Batch } from '../../../src/core/source.ts'
import { encodePosition, type PostgresPosition } from '../position.ts'
import { describeTable } from '../tables.ts'
import { shapeCommit } from '../transforms/shape.ts'
import type { Origin } from '../wal/envelope-writer.ts'
import type { Lsn } from '../wal/lsn.ts'
import { type ChunkRange, wholeRange } from './chunk-range.ts'
import type { ChunkTable } from './chunk-table.ts'
import { newRun } from './incremental-state.ts'
import { continueSnapshot } from './plan.ts'
import type { SnapshotProgress } from './progress.ts'
import type { PackedRows } from './row-packer.ts'
import { mark, RowWriter } from './rows.ts'

/** A table on its way: what of it has not gone out yet. */
export interface TableCopy {
  readonly table: ChunkTable
  readonly left: Set<ChunkRange>
  /** Ranges that have not been read to their end. */
  unread: number
  /** Rows that wait to learn whether they are the table's last. */
  held: HeldRows | undefined
}

interface HeldRows {
  readonly copy: TableCopy
  readonly rows: PackedRows
  readonly ended: ChunkRange[]
  isLast: boolean
}

export interface Emitting {
  readonly origin: Origin
  readonly consistentPoint: Lsn
  readonly position: PostgresPosition
  readonly progress: SnapshotProgress
  readonly only: boolean
}

/**
 * Puts what several connections read into one order: gives each piece its version, keeps the
 * position, and says which row is the first and which the last, of a table and of all.
 */
export class SnapshotEmission {
  readonly #emitting: Emitting
  readonly #copies: readonly TableCopy[]
  readonly #rewritten: readonly string[]
  readonly #writer: RowWriter
  readonly #begun = new Set<TableCopy>()
  readonly #from: bigint
  readonly #again: boolean
  #position: PostgresPosition
  /** The last rows of the table that came to its end last. */
  #final: HeldRows | undefined

  constructor(emitting: Emitting, copies: readonly TableCopy[], rewritten: readonly string[]) {
    const { position, consistentPoint, origin } = emitting
    const next = position.lastVersion + 1n
    this.#emitting = emitting
    this.#copies = copies
    this.#rewritten = rewritten
    this.#writer = new RowWriter(origin, 'true')
    this.#from = consistentPoint > next ? consistentPoint : next
    this.#again = position.snapshot?.again ?? false
    this.#position = {
      ...{ ...position, commit: consistentPoint - 1n, ordinal: 0, held: [] },
      ...{ commitEnd: consistentPoint, lastVersion: this.#from - 1n, idle: undefined },
    }
  }

  /** From here on an interrupted snapshot goes on, rather than begins again. */
  begin(): Batch<NewRecord> {
    return this.#batch([])
  }

  *add(
    copy: TableCopy,
    rows: PackedRows | undefined,
    ended: ChunkRange | undefined,
  ): Generator<Batch<NewRecord>> {
    if (rows !== undefined) {
      if (copy.held !== undefined) yield this.#emit(copy.held)
      copy.held = { copy, rows, ended: [], isLast: false }
    }
    if (ended === undefined) return
    copy.unread--
    if (copy.held === undefined) copy.left.delete(ended)
    else copy.held.ended.push(ended)
    if (copy.unread > 0) return
    this.#emitting.progress.end(describeTable(copy.table.table))
    if (copy.held === undefined) return
    copy.held.isLast = true
    if (this.#final !== undefined) yield this.#emit(this.#final)
    this.#final = copy.held
    copy.held = undefined
  }

  /** Rows of an earlier snapshot may have gone meanwhile: a bounded truncate sweeps them. */
  *finish(): Generator<Batch<NewRecord>> {
    // In one batch: a snapshot that has all of its rows out is complete.
    const final = this.#final === undefined ? [] : this.#emit(this.#final, 'last').records
    const sweeps = this.#again ? this.#copies : []
    const lsn = Number(this.#emitting.consistentPoint)
    const records = sweeps.map(({ table }) =>
      this.#writer.sweep(table.relation, this.#from, this.#nextVersion(), lsn),
    )
    const sweep = this.#again
    const runs = this.#rewritten.map((table) => newRun(table, { sweep, from: this.#from }))
    this.#position = {
      ...this.#position,
      snapshot: undefined,
      ...(runs.length > 0 && { incremental: { runs, paused: false, xids: [] } }),
      ...(this.#emitting.only && { only: true }),
    }
    const all = [...final, ...records]
    yield { records: all, position: encodePosition(this.#position), complete: true }
  }

  /** The rest is read while the stream goes on. */
  handOver(): Batch<NewRecord> {
    this.#position = continueSnapshot(this.#position)
    return { records: [], position: encodePosition(this.#position), complete: true }
  }

  #emit({ copy, rows, ended, isLast }: HeldRows, last = 'last_in_data_collection') {
    const packed = this.#writer.packed(copy.table.relation, rows, this.#nextVersion())
    const records = asRecords(packed)
    const isFirst = !this.#begun.has(copy)
    if (isLast) mark(records.at(-1)!, last)
    if (isFirst) {
      mark(records[0]!, this.#begun.size === 0 ? 'first' : 'first_in_data_collection')
      this.#begun.add(copy)
    }
    for (const range of ended) copy.left.delete(range)
    const { shape } = copy.table.relation
    if (shape !== undefined) return this.#batch(shapeCommit(records, shape))
    return this.#batch(isFirst || isLast ? [...records] : records)
  }

  #batch(records: readonly NewRecord[]): Batch<NewRecord> {
    const unfinished = this.#copies.filter(({ left }) => left.size > 0)
    const rewritten = this.#rewritten.map((table) => ({ table, ranges: [wholeRange] }))
    const left = [
      ...unfinished.map(({ table, left }) => ({
        table: describeTable(table.table),
        key: table.key.map(({ name }) => name),
        // Places mean nothing in another snapshot: a table without key begins again.
        ...(table.key.length > 0 ? { ranges: [...left] } : { ranges: [wholeRange], restart: true }),
      })),
      ...rewritten,
    ]
    const snapshot = { phase: 'running', from: this.#from, again: this.#again, left } as const
    this.#position = { ...this.#position, snapshot }
    return { records, position: encodePosition(this.#position), complete: true }
  }

  #nextVersion(): bigint {
    const lastVersion = this.#position.lastVersion + 1n
    this.#position = { ...this.#position, lastVersion }
    return lastVersion
  }
}
