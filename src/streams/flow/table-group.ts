import type { Json } from '../../core/json.ts'
import { encodeKey } from '../stores/value-codec.ts'
import type { FlowContext, TableFlow } from './flow.ts'
import { TableResult } from './table-result.ts'

/** A row under the key of its group. */
export type Regroup = (value: Json, key: Json) => readonly [key: Json, value: Json] | null

export interface TableAggregation {
  /** Null: the first value is the aggregate. */
  readonly init: (() => Json) | null
  readonly add: (aggregate: Json, value: Json, key: Json) => Json
  readonly subtract: (aggregate: Json, value: Json, key: Json) => Json
}

interface GroupChange {
  readonly key: Json
  readonly timestamp: number
  readonly removed: Json
  readonly added: Json
}

/** The rows of each group of a table as one value: a row that changes is taken out and put in. */
export function aggregateTable(
  parent: TableFlow,
  context: FlowContext,
  regroup: Regroup,
  aggregation: TableAggregation,
): TableFlow {
  const result = new TableResult(context, true)
  const take = (change: GroupChange) => {
    const { key } = change
    const old = result.get(key)
    const after = aggregated(change, old?.value ?? null, aggregation)
    const timestamp = Math.max(change.timestamp, old?.timestamp ?? 0)
    result.emit({ key, before: null, after, timestamp, isLatest: true })
  }
  const send = context.boundary(take, ({ key }) => key)
  parent.knowsBefore(true)
  parent.updates.connect(({ key, before, after, timestamp, isLatest }) => {
    if (!isLatest) return
    const from = before === null ? null : placed(regroup(before, key))
    const to = after === null ? null : placed(regroup(after, key))
    if (from !== null && to !== null && encodeKey(from[0]) === encodeKey(to[0])) {
      send({ key: to[0], timestamp, removed: from[1], added: to[1] })
      return
    }
    if (from !== null) send({ key: from[0], timestamp, removed: from[1], added: null })
    if (to !== null) send({ key: to[0], timestamp, removed: null, added: to[1] })
  })
  return result
}

/** A row without a group, or without a value in it, takes part in none. */
function placed(pair: ReturnType<Regroup>): ReturnType<Regroup> {
  return pair === null || (pair[0] ?? null) === null || (pair[1] ?? null) === null ? null : pair
}

function aggregated(
  { key, removed, added }: GroupChange,
  old: Json,
  { init, add, subtract }: TableAggregation,
): Json {
  let aggregate = old
  if (removed !== null && old !== null) aggregate = subtract(old, removed, key) ?? null
  if (added === null) return aggregate
  if (aggregate === null && init === null) return added
  return add(aggregate ?? init!(), added, key) ?? null
}
