import type { Relation } from '../wal/relation.ts'

/** One change of a row, as it went out. */
export interface ObservedChange {
  readonly op: 'c' | 'u' | 'd'
  /** Of the record; of a key change, the new one. */
  readonly key: Buffer | null
  /** The key that the row had before, where the change gave it another. */
  readonly oldKey: Buffer | null
  /** The envelope. */
  readonly value: Buffer
  /** Columns that the row after the change lacks. */
  readonly unchanged: readonly string[] | undefined
}

/** Follows what the decoder sees, for snapshots that are taken while the stream goes on. */
export interface ChangeObserver {
  /** Changes of this topic are observed, but do not go out. */
  readonly mutedTopic: string | undefined
  /** `isWhole`: no part of the commit went out in an earlier life. */
  begin(xid: number, isWhole: boolean): void
  /** The row's slots, `relation.row`, are places in `bytes`. */
  change(relation: Relation, bytes: Buffer, change: ObservedChange): void
  truncate(oid: number): void
  message(prefix: string, content: Buffer): void
  commit(): void
}
