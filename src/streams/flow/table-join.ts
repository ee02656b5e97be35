import type { Json } from '../../core/json.ts'
import type { Stamped } from '../stores/stamped.ts'
import type { FlowContext, TableFlow } from './flow.ts'
import { TableResult } from './table-result.ts'

export type JoinType = 'inner' | 'left' | 'outer'

export interface TableJoining {
  readonly type: JoinType
  readonly select: (left: Json, right: Json, key: Json) => Json
  readonly isStored: boolean
}

interface Side {
  readonly table: TableFlow
  readonly other: TableFlow
  /** Whether its rows are in the result without one of the other side. */
  readonly isKept: boolean
  readonly isOtherKept: boolean
  readonly join: (own: Json, other: Json, key: Json) => Json
}

/** The rows of two tables that have the same key. Either side's changes change the result. */
export function joinTables(
  left: TableFlow,
  right: TableFlow,
  context: FlowContext,
  { type, select, isStored }: TableJoining,
): TableFlow {
  const [keepsLeft, keepsRight] = [type !== 'inner', type === 'outer']
  const joined = (key: Json): Stamped | null => {
    const [l, r] = [left.get(key), right.get(key)]
    if ((l === null && !(r !== null && keepsRight)) || (r === null && !keepsLeft)) return null
    const value = select(l?.value ?? null, r?.value ?? null, key) ?? null
    const timestamp = Math.max(l?.timestamp ?? 0, r?.timestamp ?? 0)
    return value === null ? null : { value, timestamp }
  }
  // What was joined before is worked out from what the sides were before.
  left.knowsBefore(true)
  right.knowsBefore(true)
  const result = new TableResult(context, isStored, { get: joined, knowsBefore: () => true })
  connect(result, {
    ...{ table: left, other: right, isKept: keepsLeft, isOtherKept: keepsRight },
    join: select,
  })
  connect(result, {
    ...{ table: right, other: left, isKept: keepsRight, isOtherKept: keepsLeft },
    join: (own, other, key) => select(other, own, key),
  })
  return result
}

function connect(result: TableResult, side: Side): void {
  side.table.updates.connect((update) => {
    const { key, before, after } = update
    if (!update.isLatest) return
    const other = side.other.get(key)
    if (other === null && (!side.isKept || (before === null && after === null))) return
    const timestamp = Math.max(update.timestamp, other?.timestamp ?? 0)
    const value = (own: Json) => joinedValue(side, own, other, key)
    result.emit({ key, before: value(before), after: value(after), timestamp, isLatest: true })
  })
}

function joinedValue(side: Side, own: Json, other: Stamped | null, key: Json): Json {
  if (own === null && (other === null || !side.isOtherKept)) return null
  return side.join(own, other?.value ?? null, key) ?? null
}
