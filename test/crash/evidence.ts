import {
  acknowledged,
  isInside,
  type PostgresPosition,
} from '../../connectors/postgres/position.ts'

/**
 * Ranges that were not copied yet, as of the slot's snapshot or, after that was cut off, beside the
 * stream; `undefined`: no snapshot was under way.
 */
export function rangesLeft({ snapshot, incremental }: PostgresPosition): number | undefined {
  if (snapshot?.phase === 'intent') return undefined
  const left = snapshot?.left ?? incremental?.runs
  return left?.reduce((sum, { ranges }) => sum + ranges.length, 0)
}

/** Rows that tables had given so far which are read beside the stream; `undefined`: none is. */
export function rowsReread({ incremental }: PostgresPosition): number | undefined {
  return incremental?.runs.reduce((sum, { rows }) => sum + rows, 0)
}

/** Names of the tables of which a snapshot is under way. */
export function tablesUnderWay({ snapshot, incremental }: PostgresPosition): readonly string[] {
  const { left = [] } = snapshot ?? {}
  return [...left, ...(incremental?.runs ?? [])].map(({ table }) => table)
}

/** A new snapshot is under way that will be swept. */
export function isHealing({ snapshot, incremental }: PostgresPosition): boolean {
  if (snapshot !== undefined) return snapshot.again
  return incremental?.runs.some(({ sweep, from }) => sweep && from !== null) ?? false
}

/** What was committed at a place in the WAL was not durable yet, or in part only. */
export function isBehind(position: PostgresPosition, lsn: bigint): boolean {
  return acknowledged(position) < lsn
}

/** For people: how far into a giant commit the position lies. */
export function describeInside(position: PostgresPosition): string {
  return isInside(position) && position.ordinal > 0
    ? ` after ${position.ordinal} changes of a commit`
    : ''
}
