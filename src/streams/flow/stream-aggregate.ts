import type { Json } from '../../core/json.ts'
import type { FlowContext, StreamFlow, TableFlow } from './flow.ts'
import { TableResult } from './table-result.ts'

/** One of the streams that an aggregate is made of. */
export interface AggregateInput {
  readonly stream: StreamFlow
  readonly add: (aggregate: Json, value: Json, key: Json) => Json
}

/** Null: the first value is the aggregate. */
export type Initial = (() => Json) | null

/** The aggregate with one more value in it. */
export function added(init: Initial, input: AggregateInput, old: Json, record: Added): Json {
  if (old === null && init === null) return record.value
  return input.add(old ?? init!(), record.value, record.key) ?? null
}

interface Added {
  readonly key: Json
  readonly value: Json
}

/** The records of each key as one value. */
export function aggregateStreams(
  inputs: readonly AggregateInput[],
  context: FlowContext,
  init: Initial,
): TableFlow {
  const result = new TableResult(context, true)
  for (const input of inputs) {
    input.stream.records.connect((record) => {
      const { key, value } = record
      if (key === null || value === null) return
      const old = result.get(key)
      const after = added(init, input, old?.value ?? null, record)
      const timestamp = Math.max(record.timestamp, old?.timestamp ?? 0)
      result.emit({ key, before: null, after, timestamp, isLatest: true })
    })
  }
  return result
}
