import type { FlowContext, FlowRecord, StreamFlow } from './flow.ts'
import { Outlet } from './outlet.ts'

/** A stream whose keys have changed, where records of one key come together again. */
export function repartitionStream(
  parent: StreamFlow,
  { boundary }: FlowContext,
  keepsNullKeys: boolean,
): StreamFlow {
  const records = new Outlet<FlowRecord>()
  const send = boundary<FlowRecord>(
    (record) => records.forward(record),
    ({ key }) => key,
  )
  parent.records.connect((record) => {
    if (record.key !== null || keepsNullKeys) send(record)
  })
  return { kind: 'stream', records }
}
