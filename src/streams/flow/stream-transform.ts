import type { FlowRecord, StreamFlow } from './flow.ts'
import { Outlet } from './outlet.ts'

type Forward = (record: FlowRecord) => void

/** A stream in which each record becomes any number of others. It keeps no state. */
export function transformStream(
  parent: StreamFlow,
  transform: (record: FlowRecord, forward: Forward) => void,
): StreamFlow {
  const records = new Outlet<FlowRecord>()
  const forward = (record: FlowRecord) => records.forward(record)
  parent.records.connect((record) => transform(record, forward))
  return { kind: 'stream', records }
}

/** The records of several streams, in the order of their arrival. */
export function mergeStreams(parents: readonly StreamFlow[]): StreamFlow {
  const records = new Outlet<FlowRecord>()
  for (const parent of parents) parent.records.connect((record) => records.forward(record))
  return { kind: 'stream', records }
}
