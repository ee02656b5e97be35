import { StreamTime } from '../stores/stream-time.ts'
import { type TimeWindows, windowStarts } from '../windows.ts'
import type { FlowContext, FlowRecord, TableFlow } from './flow.ts'
import { type AggregateInput, added, type Initial } from './stream-aggregate.ts'
import { type Emit, later, WindowResult } from './window-result.ts'

export interface TimeWindowing {
  readonly windows: TimeWindows
  readonly init: Initial
  readonly emit: Emit
  readonly retentionMs: number
}

/** The records of each key and window as one value. */
export function aggregateTimeWindows(
  inputs: readonly AggregateInput[],
  context: FlowContext,
  { windows, init, emit, retentionMs }: TimeWindowing,
): TableFlow {
  const { sizeMs, graceMs } = windows
  const result = new WindowResult(context, { emit, retentionMs, lengthMs: sizeMs })
  const streamTime = new StreamTime(context.space('time'))
  const take = (input: AggregateInput, record: FlowRecord, closed: number) => {
    for (const start of windowStarts(record.timestamp, windows)) {
      if (start + sizeMs <= closed) continue
      const old = result.store.get(record.key, start)
      const value = added(init, input, old?.value ?? null, record)
      const timestamp = Math.max(record.timestamp, old?.timestamp ?? 0)
      result.put(record.key, start, old?.value ?? null, { value, timestamp })
    }
  }
  const advance = (now: number) => {
    result.tellUntil(now - graceMs - sizeMs)
    result.store.expire(now)
  }
  for (const input of inputs) {
    input.stream.records.connect((record) => {
      if (record.key === null) return
      const now = streamTime.observe(record.timestamp)
      take(input, record, now - graceMs)
      advance(now)
    })
  }
  context.timed({
    clock: 'stream',
    due: () => later(result.firstUntold, sizeMs + graceMs),
    advance: (time) => advance(streamTime.observe(time)),
  })
  return result
}
