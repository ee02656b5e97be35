import type { Json } from '../../core/json.ts'
import type { OrderedSpace } from './ordered-space.ts'
import { decodeStamped, encodeStamped, type Stamped } from './stamped.ts'
import { timeRange } from './time-range.ts'
import { timeOf, timeText } from './time-text.ts'
import { decodeKey, encodeKey } from './value-codec.ts'

/** A value of a window, named by its start. */
export interface WindowEntry {
  readonly key: Json
  readonly start: number
  readonly stamped: Stamped
}

/** Windows looked at by one clean-up, so that none takes long. */
const cleanedAtOnce = 100

/**
 * One value per key and window. A second space lists the windows by start, so that those whose
 * retention has passed are found without looking at the others.
 */
export class WindowStore {
  readonly #rows: OrderedSpace
  readonly #byStart: OrderedSpace
  readonly #retentionMs: number
  /** No window starts before this; known once it was looked for. */
  #oldest = Number.NEGATIVE_INFINITY

  constructor(rows: OrderedSpace, byStart: OrderedSpace, retentionMs: number) {
    this.#rows = rows
    this.#byStart = byStart
    this.#retentionMs = retentionMs
  }

  get(key: Json, start: number): Stamped | null {
    const text = this.#rows.get([encodeKey(key), timeText(start)])
    return text === undefined ? null : decodeStamped(text)
  }

  /** `isThere`: the caller has seen that there is such a window. */
  put(key: Json, start: number, stamped: Stamped, isThere = false): void {
    const [keyText, startText] = [encodeKey(key), timeText(start)]
    if (stamped.value === null) {
      this.#rows.delete([keyText, startText])
      this.#byStart.delete([startText, keyText])
      return
    }
    if (!isThere && this.#rows.get([keyText, startText]) === undefined) {
      this.#byStart.put([startText, keyText], '')
      this.#oldest = Math.min(this.#oldest, start)
    }
    this.#rows.put([keyText, startText], encodeStamped(stamped))
  }

  /** A key's windows that start in this time, both ends included, by start. */
  *fetch(key: Json, from: number, to: number): Generator<WindowEntry> {
    for (const [start, , text] of timeRange(this.#rows, [encodeKey(key)], from, to)) {
      yield { key, start, stamped: decodeStamped(text) }
    }
  }

  *entries(): Generator<WindowEntry> {
    for (const [[key, start], text] of this.#rows.scan([])) {
      yield { key: decodeKey(key!), start: timeOf(start!), stamped: decodeStamped(text) }
    }
  }

  /** Deletes windows that nothing can reach any more. */
  expire(streamTime: number): void {
    const kept = streamTime - this.#retentionMs
    // To look for the first window costs more than to count a record in.
    if (this.#oldest >= kept) return
    let left = cleanedAtOnce
    for (const [[start, key]] of this.#byStart.scan([])) {
      if (timeOf(start!) >= kept || left-- === 0) {
        this.#oldest = timeOf(start!)
        return
      }
      this.#byStart.delete([start!, key!])
      this.#rows.delete([key!, start!])
    }
  }
}
