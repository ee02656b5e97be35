import type { Reading } from './reading.ts'
import type { LogRecord } from './record.ts'
import type { Sink } from './sink.ts'

/**
 * Fills a target anew beside the one that serves, and exchanges the two in one step. Whatever it
 * knows lies in the target, so that each step may be repeated after a crash, also by another
 * process.
 */
export interface Reindexing {
  /** Writes to the new target, made by its first `resume`, with a checkpoint of its own. */
  open(): Promise<Sink<LogRecord>>
  /** What the new target holds. */
  read(): Promise<Reading>
  /**
   * Puts the new target in the place of the one that serves, and keeps that one. Nobody may write
   * to either meanwhile. The sink goes on from where the new one has come to.
   */
  swap(): Promise<string>
  /** Puts back the one that served before, and removes the new one. As `swap` for writers. */
  rollback(): Promise<string>
  /** Removes the new target, before it serves. */
  cancel(): Promise<string>
  /** Removes the one that served before. */
  finish(): Promise<string>
  close(): Promise<void>
}
