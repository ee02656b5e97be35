import type { NewRecord } from '../../src/core/record.ts'
import type { Batch } from '../../src/core/source.ts'
import { encodePosition, isWhole, type PostgresPosition } from './position.ts'
import type { Lsn } from './wal/lsn.ts'

/** No records, only another position. */
export function moved(position: PostgresPosition): Batch<NewRecord> {
  return { records: [], position: encodePosition(position), complete: isWhole(position) }
}

/** The stream begins, and nothing comes before it. */
export function withoutRows(position: PostgresPosition, consistentPoint: Lsn): Batch<NewRecord> {
  const begun = {
    ...{ ...position, snapshot: undefined, unread: position.tables },
    ...{ commit: consistentPoint - 1n, commitEnd: consistentPoint },
  }
  return { records: [], position: encodePosition(begun), complete: true }
}
