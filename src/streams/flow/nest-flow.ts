import type { Json } from '../../core/json.ts'
import { compareKeys, type KeyValue, type Scalar, toKey } from '../key.ts'
import type { OrderedSpace } from '../stores/ordered-space.ts'
import { decodeKey, decodeValue, encodeKey, encodeValue } from '../stores/value-codec.ts'
import type { FlowContext, TableFlow } from './flow.ts'
import { TableResult } from './table-result.ts'

export interface FlowNesting {
  readonly on: (child: Json, key: Json) => Json
  readonly select: (parent: Json, children: readonly Json[], key: Json) => Json
  readonly orderBy: ((child: Json, key: Json) => Json) | undefined
}

/** A child row on its way to the parent that it points at; null if it points there no more. */
interface Reference {
  readonly parentKey: Json
  readonly key: Json
  readonly row: Json
  readonly timestamp: number
}

/**
 * Each parent row with all child rows that point at it. Of its own it keeps, where the parent is,
 * the children by the parent's key.
 */
export function nestRows(
  parent: TableFlow,
  child: TableFlow,
  context: FlowContext,
  { on, select, orderBy }: FlowNesting,
): TableFlow {
  const space = context.space('children')
  const nested = (key: Json, row: Json) => {
    return row === null ? null : (select(row, childrenOf(space, key, orderBy), key) ?? null)
  }
  const result = new TableResult(context, false, {
    get(key) {
      const row = parent.get(key)
      const value = nested(key, row?.value ?? null)
      return value === null ? null : { value, timestamp: row!.timestamp }
    },
    knowsBefore: () => false,
  })
  const tell = (key: Json, row: Json, timestamp: number) =>
    result.emit({ key, before: null, after: nested(key, row), timestamp, isLatest: true })
  const take = ({ parentKey, key, row, timestamp }: Reference) => {
    const place = [encodeKey(parentKey), encodeKey(key)]
    if (row === null) space.delete(place)
    else space.put(place, encodeValue(row))
    const found = parent.get(parentKey)
    if (found !== null) tell(parentKey, found.value, Math.max(timestamp, found.timestamp))
  }
  const refer = context.boundary(take, ({ parentKey }) => parentKey)
  const pointed = (row: Json, key: Json) => (row === null ? null : (on(row, key) ?? null))
  child.knowsBefore(true)
  child.updates.connect(({ key, before, after, timestamp, isLatest }) => {
    if (!isLatest) return
    const [from, to] = [pointed(before, key), pointed(after, key)]
    const isMoved = encodeKey(from) !== encodeKey(to)
    if (from !== null && isMoved) refer({ parentKey: from, key, row: null, timestamp })
    if (to !== null) refer({ parentKey: to, key, row: after, timestamp })
  })
  parent.updates.connect(({ key, before, after, timestamp, isLatest }) => {
    if (isLatest && (before !== null || after !== null)) tell(key, after, timestamp)
  })
  return result
}

interface Child {
  readonly key: Json
  readonly row: Json
  readonly order: string | null
}

/** In the order that is asked for, then of their keys; without an order last, as in SQL. */
function childrenOf(
  space: OrderedSpace,
  parentKey: Json,
  orderBy: FlowNesting['orderBy'],
): readonly Json[] {
  const children: Child[] = []
  for (const [[, keyText], text] of space.scan([encodeKey(parentKey)], '')) {
    const [key, row] = [decodeKey(keyText!), decodeValue(text)]
    children.push({ key, row, order: orderBy ? toKey(orderBy(row, key) as Scalar) : null })
  }
  return children.sort(compareChildren).map(({ row }) => row)
}

function compareChildren(a: Child, b: Child): number {
  if (a.order === null || b.order === null) {
    if (a.order !== b.order) return a.order === null ? 1 : -1
  } else {
    const order = compareKeys(a.order, b.order)
    if (order !== 0) return order
  }
  return compareKeys(toKey(a.key as KeyValue) ?? '', toKey(b.key as KeyValue) ?? '')
}
