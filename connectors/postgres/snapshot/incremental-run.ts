import type { Relation } from '../wal/relation.ts'
import { type ChunkRange, type KeyText, wholeRange } from './chunk-range.ts'
import type { ChunkTable } from './chunk-table.ts'
import type { ChunkRow, ChunkWindow } from './chunk-window.ts'
import type { Hole, TableRun } from './incremental-state.ts'

/** More rows than these that a run would have to look up one by one make it begin again. */
const mostHoles = 10_000

/** A range on its way: being read, or waiting for its place in the stream. */
export interface OpenChunk {
  /** As it stands in the watermark. */
  readonly id: string
  readonly run: LiveRun
  range: ChunkRange
  /** The table as it was when the chunk was read. */
  table: ChunkTable | undefined
  /** Open from before the chunk's snapshot is taken. */
  window: ChunkWindow | undefined
  lsn: number
  /** Rows that the server sent. */
  read: number
}

/** A run while it is worked on. */
export class LiveRun {
  readonly name: string
  readonly where: string | undefined
  readonly sweep: boolean
  readonly open = new Set<OpenChunk>()
  from: bigint | null
  behind: readonly bigint[]
  rows: number
  /** Described when its first chunk is read, and again when its definition has changed. */
  table: ChunkTable | undefined
  signature = ''
  isCancelled = false
  /**
   * Rows of a table without key are out, and more are to come: whoever begins again gives them
   * again, and sweeps these.
   */
  isHalfOut = false
  readonly #pending: ChunkRange[]
  readonly #holes: Map<string, Hole>
  readonly #key: readonly string[] | undefined

  constructor(run: TableRun) {
    const { table, where, sweep, from, behind, rows, ranges, holes } = run
    this.name = table
    this.where = where
    this.sweep = sweep
    this.from = from
    this.behind = behind
    this.rows = rows
    this.#pending = [...ranges]
    this.#holes = new Map(holes.map((hole) => [hole[0], hole]))
    this.#key = run.key
  }

  get state(): TableRun {
    const { name: table, where, behind, rows } = this
    const from = this.isHalfOut ? null : this.from
    const sweep = this.sweep || (this.isHalfOut && where === undefined)
    const ranges = [...[...this.open].map(({ range }) => range), ...this.#pending]
    const { key } = this
    return {
      table,
      where,
      sweep,
      from,
      behind,
      rows,
      ranges,
      key,
      holes: [...this.#holes.values()],
    }
  }

  /** Names of the columns by which the table is read; `undefined`: nothing of it was read yet. */
  get key(): readonly string[] | undefined {
    return this.table?.key.map(({ name }) => name) ?? this.#key
  }

  /**
   * The next range to read. Rows to be looked up come last, when all that could have them is read.
   */
  next(): ChunkRange | undefined {
    const range = this.#pending.shift()
    if (range !== undefined || this.open.size > 0 || this.#holes.size === 0) return range
    const holes = [...this.#holes.values()].slice(0, 500)
    for (const [record] of holes) this.#holes.delete(record)
    return { keys: holes.map(([, key]) => key) }
  }

  /** To be read next: what is left of a range, or one that must be read again. */
  putBack(...ranges: readonly ChunkRange[]): void {
    this.#pending.unshift(...ranges)
  }

  /** The columns of a row that took another key were not sent, and no range need cover it. */
  addHole(hole: Hole): void {
    this.#holes.set(hole[0], hole)
    if (this.#holes.size <= mostHoles) return
    this.#holes.clear()
    this.#pending.length = 0
    this.#pending.push(wholeRange)
  }

  /** The whole row has gone out. */
  fillHole(record: Buffer | null): void {
    if (this.#holes.size > 0 && record !== null) this.#holes.delete(record.toString())
  }

  get isDone(): boolean {
    return this.open.size === 0 && this.#pending.length === 0 && this.#holes.size === 0
  }
}

/** A chunk whose rows are on their way out. */
export interface EnteringChunk {
  readonly chunk: OpenChunk
  readonly rows: Iterator<ChunkRow>
}

/** A part goes out after so many bytes. */
const partBytes = 1024 * 1024

/** Rows of about a megabyte; a chunk of a table with a key is one part, as it is in memory. */
export function takePart(rows: Iterator<ChunkRow>) {
  const part: ChunkRow[] = []
  for (let bytes = 0; bytes < partBytes; ) {
    const { value, done } = rows.next()
    if (done) return { part, isLast: true }
    part.push(value)
    if (value.key === null) bytes += value.value.length
  }
  return { part, isLast: false }
}

/** The text of the key's columns in a row of the stream. */
export function keyTextOf(
  key: readonly string[],
  { row, columns, key: own }: Relation,
  bytes: Buffer,
): KeyText | undefined {
  const texts: string[] = []
  for (const name of key) {
    const slot = [...columns, ...own].find(({ source }) => source === name)?.slot
    if (slot === undefined || row.starts[slot]! < 0) return undefined
    texts.push(bytes.toString('utf8', row.starts[slot]!, row.ends[slot]!))
  }
  return texts
}
