import { setImmediate } from 'node:timers/promises'
import type { LogRecord } from '../core/record.ts'
import type { Position } from '../core/source.ts'
import { LaneCursor } from './lane-cursor.ts'
import type { Lane } from './lanes.ts'
import { encodePosition, startOf } from './position.ts'
import type { Readable } from './readable.ts'

/** Where a scan begins, and before which sequence it ends. */
export interface Span {
  readonly from?: number
  readonly end: number
}

/** So many records are read before others get their turn. */
const atOnce = 1_000

/** The records of a topic that are there by now: unlike a reader, it does not wait for more. */
export async function* scanTopic(
  log: Readable,
  topic: string,
  { from = 0, end }: Span,
): AsyncGenerator<LogRecord> {
  const lane = log.lanes.get(topic)
  if (lane === undefined) return
  const cursor = new LaneCursor(log, lane, { sequence: from, ordinal: 0 })
  for (let count = 1; ; count++) {
    const record = cursor.peek(end)
    if (record === undefined) return
    yield record
    cursor.advance()
    if (count % atOnce === 0) await setImmediate()
  }
}

/** The record at a place that was seen before; undefined if the log no longer holds it. */
export function recordAt(
  log: Readable,
  topic: string,
  { sequence, offset }: { readonly sequence: number; readonly offset: bigint },
): LogRecord | undefined {
  const lane = log.lanes.get(topic)
  if (lane === undefined) return undefined
  const end = log.visible([topic])
  for (const record of recordsAt(log, lane, { sequence, end })) {
    if (record.offset === offset) return record
  }
  return undefined
}

/** The records of one commit, below the sequence `end`. */
export function* recordsAt(
  log: Readable,
  lane: Lane,
  { sequence, end }: { readonly sequence: number; readonly end: number },
): Generator<LogRecord> {
  const cursor = new LaneCursor(log, lane, { sequence, ordinal: 0 })
  for (;;) {
    const record = cursor.peek(end)
    if (record === undefined || record.sequence > sequence) return
    yield record
    cursor.advance()
  }
}

/** The position before the first record that is not older than a time; undefined if all are. */
export async function positionSince(
  log: Readable,
  topics: readonly string[],
  timestamp: number,
): Promise<Position | undefined> {
  let first = Number.POSITIVE_INFINITY
  for (const topic of topics) {
    for await (const record of scanTopic(log, topic, { end: log.visible([topic]) })) {
      if (record.timestamp < timestamp) continue
      first = Math.min(first, Number(record.sequence))
      break
    }
  }
  return first === Number.POSITIVE_INFINITY ? undefined : positionOf(log, first)
}

/** The position before everything. */
export function positionOfBeginning(log: Readable): Position {
  return positionOf(log, 0)
}

function positionOf(log: Readable, sequence: number): Position {
  return encodePosition({ start: startOf(log.history, sequence), sequence, ordinal: 0 })
}
