import { keyText } from '../core/byte-keys.ts'
import { type Op, readChange } from '../core/envelope.ts'
import {
  type LogRecord,
  newKeyHeader,
  oldKeyHeader,
  sweepHeader,
  unchangedHeader,
} from '../core/record.ts'

/** Where a record stands in its topic. */
export interface Spot {
  readonly sequence: bigint
  readonly offset: bigint
}

/** The newest record of a key. */
export interface Newest extends Spot {
  readonly version: bigint
  readonly isRow: boolean
  /** Where the values are of the columns that the record lacks (unchanged TOAST). */
  readonly holes?: ReadonlyMap<string, Spot>
}

/** Removes all rows before it whose version is below. */
interface Truncation extends Spot {
  readonly below: bigint
}

export interface KeyIndexOptions {
  /** The newest records before those that are indexed, as far as they are known. */
  readonly older?: ReadonlyMap<string, Newest>
  /** Only these keys are of interest. */
  readonly only?: ReadonlySet<string>
}

/**
 * What the records of a topic amount to, key by key, read as a table reads them: so compaction
 * knows what each record is good for. Memory grows with the keys, about 200 bytes for each.
 */
export class KeyIndex {
  readonly newest = new Map<string, Newest>()
  /** Keys whose rows before the indexed ones fill holes: they must be known as `older`. */
  readonly wanted = new Set<string>()
  readonly #older: ReadonlyMap<string, Newest> | undefined
  readonly #only: ReadonlySet<string> | undefined
  /** Rows under their old key, in the commit that gives them another. */
  readonly #moved = new Map<string, Newest | undefined>()
  /** Changes that nothing completes: no table takes them; the row comes whole later, if ever. */
  readonly #void = new Set<bigint>()
  /** Each reaches farther than those before it. */
  readonly #truncations: Truncation[] = []
  #sequence = -1n

  constructor({ older, only }: KeyIndexOptions = {}) {
    this.#older = older
    this.#only = only
  }

  add(record: LogRecord): void {
    if (record.sequence !== this.#sequence) this.#moved.clear()
    this.#sequence = record.sequence
    const op = opOf(record)
    if (op === 't') this.#truncate(record)
    if (op === 't' || op === 'm' || record.key === null) return
    const key = keyText(record.key)
    if (this.#only !== undefined && !this.#only.has(key)) return
    const { sequence, offset, version, headers } = record
    const unchanged = op === 'd' ? undefined : headers?.[unchangedHeader]
    const holes = unchanged === undefined ? undefined : this.#sources(record, key, unchanged)
    if (unchanged !== undefined && holes === undefined) {
      this.#void.add(offset)
      return
    }
    if (op === 'd' && headers?.[newKeyHeader] !== undefined) this.#move(key)
    this.newest.set(key, { sequence, offset, version, isRow: op !== 'd', ...(holes && { holes }) })
  }

  /** Whether later records leave nothing of what this one says. */
  isOutdated(record: LogRecord): boolean {
    if (record.key === null) {
      const below = opOf(record) === 't' ? belowOf(record) : undefined
      return this.#truncations.some(
        (later) => isAfter(later, record) && covers(later, record, below),
      )
    }
    if (this.#void.has(record.offset) || this.#isTruncated(record)) return true
    const newest = this.newest.get(keyText(record.key))
    return newest !== undefined && isAfter(newest, record)
  }

  /** Where to find what a record lacks; undefined if it lacks nothing, or nothing fills it. */
  holesOf({ key, offset }: LogRecord): ReadonlyMap<string, Spot> | undefined {
    const newest = key === null ? undefined : this.newest.get(keyText(key))
    return newest?.offset === offset ? newest.holes : undefined
  }

  #truncate(record: LogRecord): void {
    const { sequence, offset } = record
    const below = belowOf(record)
    while ((this.#truncations.at(-1)?.below ?? below + 1n) <= below) this.#truncations.pop()
    this.#truncations.push({ sequence, offset, below })
  }

  #isTruncated(record: Spot & { readonly version: bigint }): boolean {
    return this.#truncations.some((later) => isAfter(later, record) && record.version < later.below)
  }

  #sources(
    { headers }: LogRecord,
    key: string,
    unchanged: string,
  ): ReadonlyMap<string, Spot> | undefined {
    const oldKey = headers?.[oldKeyHeader]
    const previous = (oldKey === undefined ? undefined : this.#left(oldKey)) ?? this.#row(key)
    if (previous === undefined) return undefined
    const names = JSON.parse(unchanged) as readonly string[]
    return new Map(names.map((name) => [name, previous.holes?.get(name) ?? previous]))
  }

  #move(key: string): void {
    const newest = this.newest.get(key) ?? this.#older?.get(key)
    const row = this.#live(newest)
    const isUnknown = newest === undefined && this.#older === undefined
    if (row !== undefined || isUnknown) this.#moved.set(key, row)
  }

  /** The row that had the key before this commit gave it another. */
  #left(oldKey: string): Newest | undefined {
    const key = keyText(Buffer.from(oldKey))
    if (!this.#moved.has(key)) return this.#row(key)
    return this.#moved.get(key) ?? this.#live(this.#olderOf(key))
  }

  #row(key: string): Newest | undefined {
    return this.#live(this.newest.get(key) ?? this.#olderOf(key))
  }

  #olderOf(key: string): Newest | undefined {
    if (this.#older === undefined) this.wanted.add(key)
    return this.#older?.get(key)
  }

  #live(newest: Newest | undefined): Newest | undefined {
    return newest?.isRow && !this.#isTruncated(newest) ? newest : undefined
  }
}

const openingBrace = 0x7b

/** What a record does; a tombstone is a delete. Records that are no changes of rows put a value. */
export function opOf(record: LogRecord): Op {
  if (record.value !== null && record.value[0] !== openingBrace) return 'u'
  try {
    return readChange(record).op
  } catch {
    return 'u'
  }
}

function belowOf({ version, headers }: LogRecord): bigint {
  const sweep = headers?.[sweepHeader]
  return sweep === undefined ? version + 1n : BigInt(sweep)
}

function isAfter(later: Spot, { sequence, offset }: Spot): boolean {
  return later.sequence > sequence || (later.sequence === sequence && later.offset > offset)
}

/** Rows without a key go as others do; a truncate goes when a later one does all that it did. */
function covers(later: Truncation, { version }: LogRecord, below: bigint | undefined): boolean {
  return below === undefined ? version < later.below : below <= later.below
}
