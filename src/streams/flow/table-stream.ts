import type { FlowRecord, StreamFlow, TableFlow } from './flow.ts'
import { Outlet } from './outlet.ts'

/** A table's updates as a stream; a delete is a null value. */
export function streamOfTable(parent: TableFlow): StreamFlow {
  const records = new Outlet<FlowRecord>()
  parent.updates.connect(({ key, after, timestamp }) => {
    records.forward({ key, value: after, timestamp })
  })
  return { kind: 'stream', records }
}
