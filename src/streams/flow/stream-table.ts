import type { FlowContext, StreamFlow, TableFlow } from './flow.ts'
import { TableResult } from './table-result.ts'

/** A stream as a table: the last record to arrive is the row, a null value deletes it. */
export function tableOfStream(parent: StreamFlow, context: FlowContext): TableFlow {
  const result = new TableResult(context, true)
  parent.records.connect(({ key, value, timestamp }) => {
    if (key === null) return
    result.emit({ key, before: null, after: value, timestamp, isLatest: true })
  })
  return result
}
