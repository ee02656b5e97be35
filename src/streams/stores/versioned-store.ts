import type { Json } from '../../core/json.ts'
import type { OrderedSpace } from './ordered-space.ts'
import { decodeStamped, encodeStamped, type Stamped } from './stamped.ts'
import { StreamTime } from './stream-time.ts'
import { timeOf, timeText } from './time-text.ts'
import { decodeKey, decodeValue, encodeKey, encodeValue } from './value-codec.ts'

/** A value of the past, and until when it held; `null`: it still does. */
export interface Version extends Stamped {
  readonly validTo: number | null
}

/** What became of a write: when a later version ends it (`null`: it is the latest). */
export type PutResult = number | null | 'rejected'

/**
 * Values by key and time. The latest of each key stands in a space of its own, deletes included;
 * older ones with the time at which each was followed, for as long as history is kept.
 */
export class VersionedStore {
  readonly #latest: OrderedSpace
  readonly #older: OrderedSpace
  readonly #time: StreamTime
  readonly historyMs: number

  constructor(spaces: {
    readonly latest: OrderedSpace
    readonly older: OrderedSpace
    readonly time: OrderedSpace
    readonly historyMs: number
  }) {
    this.#latest = spaces.latest
    this.#older = spaces.older
    this.#time = new StreamTime(spaces.time)
    this.historyMs = spaces.historyMs
  }

  get(key: Json): Stamped | null {
    const latest = this.#latestOf(encodeKey(key))
    return latest === null || latest.value === null ? null : latest
  }

  /** The value that held at a time; `null` too if history does not reach back so far. */
  asOf(key: Json, time: number): Version | null {
    const keyText = encodeKey(key)
    const latest = this.#latestOf(keyText)
    if (latest === null) return null
    if (latest.timestamp <= time) return latest.value === null ? null : { ...latest, validTo: null }
    if (time < this.#time.now - this.historyMs) return null
    const older = this.#olderAt(keyText, time)
    return older === undefined || older.value === null ? null : older
  }

  /** Versions that held at some moment from one time to another, oldest first. */
  versions(key: Json, from: number, to: number): readonly Version[] {
    const keyText = encodeKey(key)
    const oldest = this.#time.now - this.historyMs
    const held = to < oldest ? [] : [...this.#olderOf(keyText)]
    const latest = this.#latestOf(keyText)
    if (latest !== null) held.push({ ...latest, validTo: null })
    return held.filter(({ value, timestamp, validTo }) => {
      return (
        value !== null && timestamp <= to && (validTo === null || validTo > Math.max(from, oldest))
      )
    })
  }

  put(key: Json, stamped: Stamped): PutResult {
    const { timestamp } = stamped
    if (timestamp < this.#time.now - this.historyMs) return 'rejected'
    const oldest = this.#time.observe(timestamp) - this.historyMs
    const keyText = encodeKey(key)
    const latest = this.#latestOf(keyText)
    const result = this.#insert(keyText, stamped, latest)
    this.#expire(keyText, oldest)
    return result
  }

  *entries(): Generator<readonly [Json, Stamped]> {
    for (const [[key], text] of this.#latest.scan([])) {
      const stamped = decodeStamped(text)
      if (stamped.value !== null) yield [decodeKey(key!), stamped]
    }
  }

  #insert(keyText: string, stamped: Stamped, latest: Stamped | null): PutResult {
    const { timestamp } = stamped
    if (latest === null || latest.timestamp <= timestamp) {
      if (latest !== null && latest.timestamp < timestamp) {
        this.#putOlder(keyText, { ...latest, validTo: timestamp })
      }
      this.#latest.put([keyText], encodeStamped(stamped))
      return null
    }
    let follower = latest.timestamp
    let before: Version | undefined
    for (const version of this.#olderOf(keyText)) {
      if (version.timestamp > timestamp) {
        follower = version.timestamp
        break
      }
      before = version
    }
    if (before !== undefined && before.timestamp < timestamp && before.validTo! > timestamp) {
      this.#putOlder(keyText, { ...before, validTo: timestamp })
    }
    this.#putOlder(keyText, { ...stamped, validTo: follower })
    return follower
  }

  #latestOf(keyText: string): Stamped | null {
    const text = this.#latest.get([keyText])
    return text === undefined ? null : decodeStamped(text)
  }

  #olderAt(keyText: string, time: number): Version | undefined {
    let found: Version | undefined
    for (const version of this.#olderOf(keyText)) {
      if (version.timestamp > time) break
      found = version
    }
    return found !== undefined && found.validTo! > time ? found : undefined
  }

  *#olderOf(keyText: string): Generator<Version> {
    for (const [[, from], text] of this.#older.scan([keyText])) {
      const [validTo, value] = decodeValue(text) as [number, Json]
      yield { timestamp: timeOf(from!), validTo, value }
    }
  }

  #putOlder(keyText: string, { timestamp, validTo, value }: Version): void {
    this.#older.put([keyText, timeText(timestamp)], encodeValue([validTo, value]))
  }

  #expire(keyText: string, oldest: number): void {
    for (const { timestamp, validTo } of this.#olderOf(keyText)) {
      if (validTo! >= oldest) return
      this.#older.delete([keyText, timeText(timestamp)])
    }
  }
}
