import type { Json } from '../../core/json.ts'
import type { OrderedSpace } from './ordered-space.ts'
import { StreamTime } from './stream-time.ts'
import { timeRange } from './time-range.ts'
import { timeOf, timeText } from './time-text.ts'
import { decodeKey, decodeValue, encodeKey, encodeValue } from './value-codec.ts'

export interface Session {
  readonly key: Json
  readonly start: number
  readonly end: number
  readonly value: Json
}

const cleanedAtOnce = 100

/** Sessions by key and end, and by end alone. One whose retention has passed is not seen. */
export class SessionStore {
  readonly #rows: OrderedSpace
  readonly #byEnd: OrderedSpace
  readonly #lastEnd: StreamTime
  readonly #retentionMs: number

  constructor(spaces: {
    readonly rows: OrderedSpace
    readonly byEnd: OrderedSpace
    readonly time: OrderedSpace
    readonly retentionMs: number
  }) {
    this.#rows = spaces.rows
    this.#byEnd = spaces.byEnd
    this.#lastEnd = new StreamTime(spaces.time, 'last end')
    this.#retentionMs = spaces.retentionMs
  }

  /** A key's sessions that end at or after one time and start at or before another, by end. */
  *find(key: Json, endFrom: number, startTo: number): Generator<Session> {
    const from = Math.max(0, endFrom, this.#oldestEnd)
    for (const [[, end, start], text] of this.#rows.scan([encodeKey(key)])) {
      const session = { key, start: timeOf(start!), end: timeOf(end!), value: decodeValue(text) }
      if (session.end >= from && session.start <= startTo) yield session
    }
  }

  put({ key, start, end, value }: Session): void {
    const keyText = encodeKey(key)
    this.#rows.put([keyText, timeText(end), timeText(start)], encodeValue(value))
    this.#byEnd.put([timeText(end), keyText, timeText(start)], '')
    this.#lastEnd.observe(end)
  }

  delete({ key, start, end }: Session): void {
    const keyText = encodeKey(key)
    this.#rows.delete([keyText, timeText(end), timeText(start)])
    this.#byEnd.delete([timeText(end), keyText, timeText(start)])
  }

  /** All keys' sessions that end in this time, by end and key. */
  *ending(from: number, to: number): Generator<Session> {
    for (const [end, [endText, key, start]] of timeRange(this.#byEnd, [], from, to)) {
      const text = this.#rows.get([key!, endText!, start!])!
      yield { key: decodeKey(key!), start: timeOf(start!), end, value: decodeValue(text) }
    }
  }

  *entries(): Generator<Session> {
    const from = this.#oldestEnd
    for (const [[key, end, start], text] of this.#rows.scan([])) {
      const session = { start: timeOf(start!), end: timeOf(end!), value: decodeValue(text) }
      if (session.end >= from) yield { key: decodeKey(key!), ...session }
    }
  }

  /** Deletes sessions that are no longer seen and end before this time. */
  expire(time: number): void {
    const oldest = Math.min(time, this.#oldestEnd)
    let left = cleanedAtOnce
    for (const [[end, key, start]] of this.#byEnd.scan([])) {
      if (timeOf(end!) >= oldest || left-- === 0) return
      this.#byEnd.delete([end!, key!, start!])
      this.#rows.delete([key!, end!, start!])
    }
  }

  get #oldestEnd(): number {
    return this.#lastEnd.now - this.#retentionMs + 1
  }
}
