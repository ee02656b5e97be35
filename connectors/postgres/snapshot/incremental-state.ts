import { type ChunkRange, type KeyText, wholeRange } from './chunk-range.ts'

/**
 * A table that is read while the stream goes on, and what is left to read of it. It is kept in the
 * position, so that a run goes on where it was when the process ends.
 */
export interface TableRun {
  /** `schema.table`. */
  readonly table: string
  /** A filter in SQL: only these rows are read. */
  readonly where?: string | undefined
  /** Version from which on the run's rows are; `null` before its first chunk. */
  readonly from: bigint | null
  /** At the end, rows that the run did not find are gone. */
  readonly sweep: boolean
  readonly ranges: readonly ChunkRange[]
  /** Names of the columns by which it is read; `undefined` before the first chunk. */
  readonly key?: readonly string[] | undefined
  /** Rows that took another key while columns were not sent: no range need cover them. */
  readonly holes: readonly Hole[]
  /** Rows written so far. */
  readonly rows: number
  /** Transactions of which a part may be missing from the stream: the run waits for their end. */
  readonly behind: readonly bigint[]
}

/** A row by its record's key, and by the key that the table is read by. */
export type Hole = readonly [record: string, key: KeyText]

export interface IncrementalState {
  readonly runs: readonly TableRun[]
  readonly paused: boolean
  /** Streamed commits that a snapshot taken later may not see yet. */
  readonly xids: readonly bigint[]
}

export function newRun(
  table: string,
  options: Partial<Omit<TableRun, 'table' | 'holes' | 'rows'>> = {},
): TableRun {
  const { where, sweep = where === undefined, behind = [], ranges = [wholeRange] } = options
  const { from = null, key } = options
  return { table, where, sweep, behind, ranges, from, key, holes: [], rows: 0 }
}

export function encodeIncremental({ runs, paused, xids }: IncrementalState): unknown {
  return {
    runs: runs.map(({ from, behind, holes, where, ...run }) => ({
      ...run,
      ...(where !== undefined && { where }),
      ...(from !== null && { from: String(from) }),
      ...(holes.length > 0 && { holes }),
      ...(behind.length > 0 && { behind: behind.map(String) }),
    })),
    ...(paused && { paused }),
    ...(xids.length > 0 && { xids: xids.map(String) }),
  }
}

interface StoredRun extends Omit<TableRun, 'from' | 'behind' | 'holes'> {
  readonly from?: string
  readonly behind?: readonly string[]
  readonly holes?: readonly Hole[]
}

export interface StoredIncremental {
  readonly runs: readonly StoredRun[]
  readonly paused?: boolean
  readonly xids?: readonly string[]
}

export function decodeIncremental(stored: StoredIncremental): IncrementalState {
  const { runs, paused = false, xids = [] } = stored
  return {
    runs: runs.map(({ from, behind = [], holes = [], ...run }) => ({
      ...run,
      holes,
      from: from === undefined ? null : BigInt(from),
      behind: behind.map(BigInt),
    })),
    paused,
    xids: xids.map(BigInt),
  }
}
