import type { Schema } from './schema.ts'

/** A record on its way into the log: everything but the place that the log will give it. */
export interface NewRecord {
  readonly topic: string
  readonly key: Uint8Array | null
  /** `null` is a tombstone: the key is gone. */
  readonly value: Uint8Array | null
  /** Milliseconds since 1970: when the change was committed at its origin. */
  readonly timestamp: number
  /**
   * Grows along a key, by the order of commits at the origin; shared by the records of one commit.
   */
  readonly version: bigint
  /** Place inside the commit, as the server sent it. A key change makes several records of one. */
  readonly ordinal: number
  /** The commit's last record in this topic and partition. */
  readonly endsCommit: boolean
  readonly headers?: Readonly<Record<string, string>> | undefined
  /** The columns of the row in the value, shared by all records of one relation's version. */
  readonly schema?: Schema | undefined
  /** Sequence of the source commit that caused this record. Absent: the record's own sequence. */
  readonly cause?: bigint | undefined
}

/** A record in the log. */
export interface LogRecord extends NewRecord {
  readonly partition: number
  /** Counts the records of this topic and partition, from 0. */
  readonly offset: bigint
  /** Counts commits over all topics of the log. All records of one commit share it. */
  readonly sequence: bigint
}

/** Header on a change whose row lacks columns: a JSON array of their names (unchanged TOAST). */
export const unchangedHeader = 'millrace.unchanged'

/** Header on a record whose value is a row and no envelope: the operation's letter. */
export const rowHeader = 'millrace.row'

/** Header on a record that could not be read as its topic's format says: why. Nobody takes it. */
export const unreadableHeader = 'millrace.unreadable'

/** Header on a truncate (`t`) that only removes rows whose version is below this one, in digits. */
export const sweepHeader = 'millrace.sweep'

/** Debezium's headers on the two halves of a key change: the other half's key, as JSON. */
export const oldKeyHeader = '__debezium.oldkey'
export const newKeyHeader = '__debezium.newkey'
