/**
 * A place in a source, as text. Only the source that made it can read it; everyone else stores it
 * and hands it back.
 */
export type Position = string & { readonly position: unique symbol }

/** Records that belong together, and the place to resume after the last of them. */
export interface Batch<T> {
  readonly records: readonly T[]
  readonly position: Position
  /** Ends at a commit of the origin, not inside one. */
  readonly complete: boolean
  /** Whether nothing more was there when it was read. Absent: unknown. */
  readonly atEnd?: boolean
  /** Must not be joined with others on its way to a sink. */
  readonly alone?: boolean
}

/**
 * Why the signal of `read` aborts where somebody asked for the end, unlike an end that the failure
 * of others brings.
 */
export const stopReason = 'stop'

/** Something to read from: a Postgres slot, or topics of the log. */
export interface Source<T> {
  /** Names this source in checkpoints: to change it is to start over. */
  readonly name: string

  /**
   * Takes what only one process may read, until `read` ends. It comes before the position is looked
   * up, which is then the last that anybody wrote. Throws if another process has it, or waits.
   */
  claim?(signal: AbortSignal): Promise<void>

  /**
   * Whether `position` belongs to this source as it is now. `false`: it was made by another log, or
   * lies past this one's end, so whoever wrote it must begin a new generation. A gap, where going
   * on would lose data, is thrown when reading starts.
   */
  knows(position: Position): Promise<boolean>

  /**
   * Yields everything after `from`, or everything there is, in order and without end.
   * Reads no faster than it is pulled: not asking for the next batch is the back-pressure.
   * A batch without records only moves the position. Ending the loop releases everything.
   * Once `signal` aborts, a pending read ends instead of waiting for data.
   */
  read(from: Position | undefined, signal: AbortSignal): AsyncIterable<Batch<T>>

  /** Where partitions of the log are read: `topic/partition` to the offset that comes next. */
  next?(position: Position): ReadonlyMap<string, bigint>

  /** Everything up to `position` is durable elsewhere; the source may forget it. */
  ack(position: Position): void
}
