import type { Json } from '../../core/json.ts'
import type { OrderedSpace } from '../stores/ordered-space.ts'
import { StreamTime } from '../stores/stream-time.ts'
import { timeRange } from '../stores/time-range.ts'
import { timeOf, timeText } from '../stores/time-text.ts'
import { decodeKey, decodeValue, encodeKey, encodeValue } from '../stores/value-codec.ts'
import type { FlowContext, FlowRecord, StreamFlow, Timed } from './flow.ts'
import { Outlet } from './outlet.ts'
import type { JoinType } from './table-join.ts'

export interface StreamJoining {
  readonly type: JoinType
  readonly select: (left: Json, right: Json, key: Json) => Json
  /** A right record belongs to a left one from so long before it to so long after it. */
  readonly beforeMs: number
  readonly afterMs: number
  readonly graceMs: number
  /** `atOnce`: an unmatched record is told with null, and with its match when that comes. */
  readonly unmatched: 'whenClosed' | 'atOnce'
}

/** Pairs of records with the same key that are near in time. */
export function joinStreams(
  left: StreamFlow,
  right: StreamFlow,
  context: FlowContext,
  joining: StreamJoining,
): StreamFlow {
  const join = new StreamJoin(context, joining)
  left.records.connect((record) => join.take('left', record))
  right.records.connect((record) => join.take('right', record))
  context.timed(join)
  return { kind: 'stream', records: join.records }
}

type SideName = 'left' | 'right'

/** One input: its records for as long as others may join them, by time, then arrival. */
interface Side {
  readonly records: OrderedSpace
  readonly byTime: OrderedSpace
  /** The highest time on this side. */
  readonly time: StreamTime
  readonly count: StreamTime
  readonly isOuter: boolean
  /** The other side's records that belong to one of this: from so long before to so long after. */
  readonly beforeMs: number
  readonly afterMs: number
}

const cleanedAtOnce = 100

class StreamJoin implements Timed {
  readonly clock = 'stream'
  readonly records = new Outlet<FlowRecord>()
  readonly #sides: Readonly<Record<SideName, Side>>
  readonly #joining: StreamJoining
  readonly #time: StreamTime
  /** Unmatched records by time, then right before left, then key, then arrival. */
  readonly #waiting: OrderedSpace | undefined

  constructor(context: FlowContext, joining: StreamJoining) {
    const { type, beforeMs, afterMs, unmatched } = joining
    this.#joining = joining
    this.#sides = {
      left: openSide(context, 'left', { isOuter: type !== 'inner', beforeMs, afterMs }),
      right: openSide(context, 'right', {
        ...{ isOuter: type === 'outer', beforeMs: afterMs, afterMs: beforeMs },
      }),
    }
    this.#time = new StreamTime(context.space('time'))
    const waits = type !== 'inner' && unmatched === 'whenClosed'
    if (waits) this.#waiting = context.space('waiting')
  }

  take(name: SideName, record: FlowRecord): void {
    const { key, value, timestamp } = record
    const side = this.#sides[name]
    const now = this.#time.observe(timestamp)
    if (value === null) return
    if (key === null) {
      if (side.isOuter) this.#tell(name, { own: record, other: null, timestamp })
      return
    }
    this.#keep(side, record)
    if (timestamp === now) this.#tellClosed(now)
    if (!this.#match(name, record) && side.isOuter) this.#wait(name, record, now)
  }

  /** The first waiting record of each side is the first of that side that goes. */
  due(): number | undefined {
    const times = new Map<string, number>()
    for (const [[time, mark]] of this.#waiting?.scan([]) ?? []) {
      if (times.has(mark!)) continue
      const { afterMs } = this.#sides[mark === sideMark('left') ? 'left' : 'right']
      times.set(mark!, timeOf(time!) + afterMs + this.#joining.graceMs + 1)
      if (times.size === 2) break
    }
    return times.size === 0 ? undefined : Math.min(...times.values())
  }

  advance(time: number): void {
    this.#tellClosed(this.#time.observe(time))
  }

  get #retentionMs(): number {
    const { beforeMs, afterMs, graceMs } = this.#joining
    return beforeMs + afterMs + graceMs
  }

  #keep(side: Side, { key, value, timestamp }: FlowRecord): void {
    const oldest = side.time.observe(timestamp) - this.#retentionMs
    if (timestamp <= oldest) return
    const keyText = encodeKey(key)
    const place = timeText(side.count.observe(side.count.now + 1))
    side.records.put([keyText, timeText(timestamp), place], encodeValue(value))
    side.byTime.put([timeText(timestamp), place, keyText], '')
    let left = cleanedAtOnce
    for (const [[time, arrived, oldKey]] of side.byTime.scan([])) {
      if (timeOf(time!) > oldest || left-- === 0) return
      side.byTime.delete([time!, arrived!, oldKey!])
      side.records.delete([oldKey!, time!, arrived!])
    }
  }

  /** Joins with what the other side holds; says whether there was anything. */
  #match(name: SideName, record: FlowRecord): boolean {
    const { beforeMs, afterMs } = this.#sides[name]
    const otherName = name === 'left' ? 'right' : 'left'
    const other = this.#sides[otherName]
    const oldest = other.time.now - this.#retentionMs
    const from = Math.max(record.timestamp - beforeMs, oldest + 1)
    const to = Math.max(0, record.timestamp + afterMs)
    const keyText = encodeKey(record.key)
    let isMatched = false
    for (const [otherTime, parts, text] of timeRange(other.records, [keyText], from, to)) {
      isMatched = true
      this.#forget(otherName, keyText, parts[1]!)
      const timestamp = Math.max(record.timestamp, otherTime)
      this.#tell(name, { own: record, other: decodeValue(text), timestamp })
    }
    return isMatched
  }

  #wait(name: SideName, record: FlowRecord, now: number): void {
    const { key, value, timestamp } = record
    if (this.#waiting === undefined || timestamp + this.#sides[name].afterMs < now) {
      this.#tell(name, { own: record, other: null, timestamp })
      return
    }
    const { count } = this.#sides[name]
    const parts = [timeText(timestamp), sideMark(name), encodeKey(key), timeText(count.now)]
    this.#waiting.put(parts, encodeValue(value))
  }

  /** A match takes away all that wait with this time and key. */
  #forget(name: SideName, keyText: string, time: string): void {
    if (this.#waiting === undefined) return
    for (const [parts] of this.#waiting.scan([time, sideMark(name), keyText])) {
      this.#waiting.delete(parts)
    }
  }

  #tellClosed(now: number): void {
    if (this.#waiting === undefined) return
    const { beforeMs, afterMs, graceMs } = this.#joining
    const [least, most] = [Math.min(beforeMs, afterMs), Math.max(beforeMs, afterMs)]
    for (const [parts, text] of this.#waiting.scan([])) {
      const timestamp = timeOf(parts[0]!)
      if (timestamp + least + graceMs >= now) return
      const name = parts[1] === sideMark('left') ? 'left' : 'right'
      const mayOpen = timestamp + most + graceMs >= now
      if (mayOpen && timestamp + this.#sides[name].afterMs + graceMs >= now) continue
      this.#waiting.delete(parts)
      const own = { key: decodeKey(parts[2]!), value: decodeValue(text), timestamp }
      this.#tell(name, { own, other: null, timestamp })
    }
  }

  #tell(name: SideName, { own, other, timestamp }: Pair): void {
    const [left, right] = name === 'left' ? [own.value, other] : [other, own.value]
    const value = this.#joining.select(left, right, own.key) ?? null
    this.records.forward({ key: own.key, value, timestamp })
  }
}

interface Pair {
  readonly own: FlowRecord
  readonly other: Json
  readonly timestamp: number
}

function openSide(
  context: FlowContext,
  name: SideName,
  side: Pick<Side, 'isOuter' | 'beforeMs' | 'afterMs'>,
): Side {
  const times = context.space('time')
  return {
    ...side,
    records: context.space(name),
    byTime: context.space(`${name} by time`),
    time: new StreamTime(times, name),
    count: new StreamTime(times, `${name} count`),
  }
}

/** Right before left. */
function sideMark(name: SideName): string {
  return name === 'right' ? '0' : '1'
}
