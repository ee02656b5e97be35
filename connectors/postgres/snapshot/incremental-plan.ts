import type { OpenRecord } from '../wal/envelope-writer.ts'
import type { ChunkReading } from './incremental-reader.ts'
import type { IncrementalState } from './incremental-state.ts'
import type { SnapshotProgress } from './progress.ts'

export interface IncrementalPlan extends Omit<ChunkReading, 'onVisibility'> {
  readonly threads: number
  readonly progress: SnapshotProgress
  /** Names of the tables that are read, `schema.table`. */
  readonly tables: readonly string[]
  /** Its new rows are signals. */
  readonly signalTable: string | undefined
  readonly mutedTopic: string | undefined
  readonly state: IncrementalState | undefined
  /** Tables of which no snapshot was complete yet. */
  readonly unread: readonly string[]
  /** Taken before the stream begins, and the commits that it may not see. */
  readonly near: bigint
  readonly xids: readonly bigint[]
}

/** What is to be written between two commits of the stream. */
export interface Entry {
  readonly records: readonly OpenRecord[]
  readonly lastVersion: bigint
}
