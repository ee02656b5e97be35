import { MillraceError } from '../../core/errors.ts'
import type { Json } from '../../core/json.ts'
import { StreamTime } from '../stores/stream-time.ts'
import { timeOf, timeText } from '../stores/time-text.ts'
import { decodeValue, encodeValue } from '../stores/value-codec.ts'
import type { FlowContext, FlowRecord, StreamFlow, TableFlow } from './flow.ts'
import { Outlet } from './outlet.ts'

export interface StreamTableJoining {
  /** The key of the row that belongs to a record. */
  readonly on: (value: Json, key: Json) => Json
  readonly select: (value: Json, row: Json, key: Json) => Json
  readonly isLeft: boolean
  /** Waits so long for rows that are late; only with a versioned table. */
  readonly graceMs: number | undefined
}

/** Each record with the row of its key: as it is now, or in a versioned table, as it was then. */
export function joinStreamWithTable(
  stream: StreamFlow,
  table: TableFlow,
  context: FlowContext,
  { on, select, isLeft, graceMs }: StreamTableJoining,
): StreamFlow {
  const records = new Outlet<FlowRecord>()
  const { history } = table
  const rowOf = (key: Json, time: number) =>
    (history === undefined ? table.get(key) : history.asOf(key, time))?.value ?? null
  const join = ({ key, value, timestamp }: FlowRecord) => {
    const rowKey = on(value, key) ?? null
    const row = rowKey === null ? null : rowOf(rowKey, timestamp)
    if (row === null && !isLeft) return
    records.forward({ key, value: select(value, row, key) ?? null, timestamp })
  }
  const wait = graceMs === undefined ? undefined : waiting(context, graceMs, table, join)
  stream.records.connect((record) => {
    const isDropped =
      record.value === null || (!isLeft && (on(record.value, record.key) ?? null) === null)
    if (wait !== undefined) wait(record, isDropped)
    else if (!isDropped) join(record)
  })
  return { kind: 'stream', records }
}

/** Keeps records in the order of their times until the grace has passed. */
function waiting(
  context: FlowContext,
  graceMs: number,
  { history }: TableFlow,
  join: (record: FlowRecord) => void,
): (record: FlowRecord, isDropped: boolean) => void {
  const { step } = context.place
  if (history === undefined || history.historyMs < graceMs) {
    const message = `${step} has a grace of ${graceMs} ms, so its table must keep as much history.`
    throw new MillraceError('CONFIG_INVALID', message)
  }
  const streamTime = new StreamTime(context.space('time'))
  const counter = new StreamTime(context.space('time'), 'waiting')
  const buffer = context.space('waiting')
  context.timed({
    clock: 'stream',
    due: () => {
      for (const [parts] of buffer.scan([])) return timeOf(parts[0]!) + graceMs
      return undefined
    },
    advance: (time) => joinUntil(streamTime.observe(time) - graceMs),
  })
  const joinUntil = (due: number) => {
    for (const [parts, text] of buffer.scan([])) {
      const timestamp = timeOf(parts[0]!)
      if (timestamp > due) return
      buffer.delete(parts)
      const [key, value] = decodeValue(text) as readonly [Json, Json]
      join({ key, value, timestamp })
    }
  }
  return (record, isDropped) => {
    const due = streamTime.observe(record.timestamp) - graceMs
    if (isDropped) return
    if (record.timestamp < due) join(record)
    else {
      const place = counter.observe(counter.now + 1)
      const text = encodeValue([record.key, record.value])
      buffer.put([timeText(record.timestamp), timeText(place)], text)
    }
    joinUntil(due)
  }
}
