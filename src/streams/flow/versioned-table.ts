import type { Json } from '../../core/json.ts'
import { VersionedStore } from '../stores/versioned-store.ts'
import type { FlowContext, StreamFlow, TableFlow, TableUpdate } from './flow.ts'
import { Outlet } from './outlet.ts'
import { readableRows } from './table-result.ts'

/**
 * A stream as a table that remembers its past: rows are ordered by their times, so that a late
 * record changes what was, and never what is.
 */
export function versionedTable(
  parent: StreamFlow,
  context: FlowContext,
  historyMs: number,
): TableFlow {
  const history = new VersionedStore({
    latest: context.space('rows'),
    older: context.space('history'),
    time: context.space('time'),
    historyMs,
  })
  const updates = new Outlet<TableUpdate>()
  context.readable({ ...readableRows(history), versions: history })
  parent.records.connect(({ key, value, timestamp }) => {
    if (key === null) return
    const before = history.get(key)?.value ?? null
    const result = history.put(key, { value, timestamp })
    if (result === 'rejected') return
    updates.forward({ key, before, after: value, timestamp, isLatest: result === null })
  })
  const get = (key: Json) => history.get(key)
  return { kind: 'table', updates, get, knowsBefore: () => true, history }
}
