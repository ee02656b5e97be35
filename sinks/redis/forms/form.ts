import type { LogRecord } from '../../../src/core/record.ts'
import type { Outcome } from '../../../src/core/sink.ts'
import type { Word } from '../resp.ts'
import type { Script } from '../scripts.ts'
import type { Writer } from '../stamp.ts'

/** What a sink makes of records in Redis: documents, members of sets, invalidations, entries. */
export interface Form {
  /** What distinguishes keys of this form: once it changes, what was written is removed. */
  readonly layout: string
  /** What the keys begin with. */
  readonly prefixes: readonly string[]
  /**
   * Whether Redis keeps what it is told. What it does not keep is not told again after Redis has
   * lost its data.
   */
  readonly keeps: boolean
  /** Writes a batch, and says what became of each record. */
  write(records: readonly LogRecord[], session: Session): Promise<readonly Outcome[]>
}

/** Redis, as forms see it. */
export interface Session {
  readonly writer: Writer
  /** Records of commits before this time, in ms since 1970, are history to the sink. */
  readonly since: number
  run(script: Script, keys: readonly string[], args: readonly Word[]): Promise<unknown>
  slotOf(key: string): number
}
