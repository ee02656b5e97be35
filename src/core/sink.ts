import type { Batch, Position } from './source.ts'

/** How far a sink came with one source. It lives where the data lives. */
export interface Checkpoint {
  /** The source's name. */
  readonly source: string
  readonly position: Position
  /** Time of the last record before the position, in ms since 1970; 0 if there was none yet. */
  readonly timestamp: number
}

/** A record that the target will never take, however often we try. */
export interface Refusal {
  /** The target's own word for the fault, such as `document_parsing_exception`. */
  readonly code: string
  /** What, why, and how to mend it, in one sentence; never a whole row. */
  readonly reason: string
}

/**
 * What became of one record: written; not written because the target holds a newer version;
 * folded into a later record of the same batch; none of this sink's business; refused for good.
 */
export type Outcome = 'applied' | 'stale' | 'coalesced' | 'filtered' | Refusal

/** Something to write to: the log, a view, Elasticsearch, Redis. */
export interface Sink<T> {
  /**
   * Drops whatever was written but not committed, and tells where to go on reading. `undefined`:
   * from the beginning, because nothing was written yet, or because the target is not the one that
   * was written to (flushed, deleted, replaced by another).
   */
  resume(source: string): Promise<Position | undefined>

  /** Forgets everything written from `source`: a new generation begins. */
  clear(source: string): Promise<void>

  /**
   * Writes or stages the records, and says what became of each: the i-th outcome is the i-th
   * record's. Throws if the target may take them later. Writing the same records twice is harmless,
   * and an older version never replaces a newer one.
   */
  write(batch: Batch<T>): Promise<readonly Outcome[]>

  /**
   * Whether `write` may be called while a commit is under way. Two batches may then be written and
   * not committed, so it is for sinks that write at once, not for those that stage.
   */
  readonly overlaps?: boolean

  /** Once this resolves, every record written before and the checkpoint itself are durable. */
  commit(checkpoint: Checkpoint): Promise<void>

  /** Releases connections and files. Nothing is called afterwards. */
  close(): Promise<void>
}
