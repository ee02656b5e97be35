import type { Json } from '../../core/json.ts'
import type { FlowContext, TableFlow } from './flow.ts'
import { TableResult } from './table-result.ts'

export interface TableMapping {
  /** Null if the row is not in the result. Never asked about a row that is not there. */
  readonly map: (value: Json, key: Json) => Json
  /** A filter says nothing of rows that were not in the result and still are not. */
  readonly isFilter: boolean
}

/** A table whose rows follow from those of another alone. */
export function mapTable(
  parent: TableFlow,
  context: FlowContext,
  { map, isFilter }: TableMapping,
  isStored: boolean,
): TableFlow {
  const mapped = (value: Json, key: Json) => (value === null ? null : (map(value, key) ?? null))
  let isAsked = isStored || isFilter
  const result = new TableResult(context, isStored, {
    get(key) {
      const row = parent.get(key)
      const value = row === null ? null : mapped(row.value, key)
      return value === null ? null : { value, timestamp: row!.timestamp }
    },
    knowsBefore(force) {
      isAsked = true
      return parent.knowsBefore(force)
    },
  })
  const knows = isFilter && parent.knowsBefore(false)
  parent.updates.connect((update) => {
    const after = mapped(update.after, update.key)
    const before = isAsked ? mapped(update.before, update.key) : null
    if (isFilter && after === null && before === null && knowsNow()) return
    result.emit({ ...update, before, after })
  })
  // Somebody further down may have made the parent know since.
  const knowsNow = () => knows || parent.knowsBefore(false)
  return result
}
