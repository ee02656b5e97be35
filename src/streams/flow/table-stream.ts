import { encodeKey, encodeValue } from '../stores/value-codec.ts'
import type { FlowContext, FlowRecord, StreamFlow, TableFlow, TableUpdate } from './flow.ts'
import { Outlet } from './outlet.ts'

/** A table's updates as a stream; a delete is a null value. */
export function streamOfTable(parent: TableFlow, context: FlowContext): StreamFlow {
  const records = new Outlet<FlowRecord>()
  const tell = ({ key, after, timestamp }: TableUpdate) => {
    records.forward({ key, value: after, timestamp })
  }
  if (context.isNet) tellNetEffect(parent, context, tell)
  else parent.updates.connect(tell)
  return { kind: 'stream', records }
}

/** Of each key at most one update a commit, and none if the row is what it was. */
function tellNetEffect(
  parent: TableFlow,
  { atCommit }: FlowContext,
  tell: (update: TableUpdate) => void,
): void {
  // Within a commit only: nothing of it is left when the commit ends.
  const changed = new Map<string, TableUpdate>()
  parent.knowsBefore(true)
  parent.updates.connect((update) => {
    if (!update.isLatest) return
    const keyText = encodeKey(update.key)
    const { before } = changed.get(keyText) ?? update
    changed.set(keyText, { ...update, before })
  })
  atCommit(() => {
    const updates = [...changed.values()]
    changed.clear()
    for (const update of updates) if (hasChanged(update)) tell(update)
  })
}

function hasChanged({ before, after }: TableUpdate): boolean {
  if (before === null || after === null) return before !== after
  return encodeValue(before) !== encodeValue(after)
}
