import type { LogRecord } from '../../core/record.ts'
import type { Lane } from './lane.ts'
import type { OpenCommit } from './position.ts'

/** A batch ends at the first commit after so many bytes … */
const batchBytes = 1024 * 1024
/** … or, inside a giant commit, after so many. */
const partBytes = 4 * batchBytes

export interface Merged {
  readonly records: readonly LogRecord[]
  /** The commit inside which the batch ends, if it does. */
  readonly open: OpenCommit | undefined
}

/**
 * Merges partitions of several topics by (version, ordinal), as far as they are known: what one
 * topic shows later than another comes later. A commit's records in different topics come together
 * where they are visible together.
 *
 * A sequence counts the records before a commit, over all topics, and is the same however often
 * they are read from the same place.
 */
export class Merge {
  readonly #lanes: readonly Lane[]
  #open: OpenCommit | undefined

  constructor(lanes: readonly Lane[], open: OpenCommit | undefined) {
    this.#lanes = lanes
    this.#open = open
  }

  /** What can be given out now; undefined if more has to be fetched first. */
  next(): Merged | undefined {
    const records: LogRecord[] = []
    let bytes = 0
    for (;;) {
      const lane = this.#first()
      const record = lane?.peek()
      const isSame = record !== undefined && record.version === this.#open?.version
      if (records.length > 0) {
        if (record === undefined || (!isSame && bytes >= batchBytes)) return this.#end(records)
        if (bytes >= partBytes) return { records, open: this.#open }
      }
      if (record === undefined) return undefined
      if (!isSame) this.#open = { version: record.version, sequence: this.#count() }
      record.sequence = this.#open!.sequence
      records.push(record)
      bytes += (record.value?.length ?? 0) + (record.key?.length ?? 0)
      lane!.shift()
    }
  }

  /** Nothing more is known. A commit that goes on in records not fetched yet is open. */
  #end(records: readonly LogRecord[]): Merged {
    const last = records.at(-1)!
    const lane = this.#lanes.find(({ topic }) => topic === last.topic)!
    const isWhole = last.endsCommit || lane.peek() !== undefined || !lane.isBehind
    if (isWhole) this.#open = undefined
    return { records, open: this.#open }
  }

  #first(): Lane | undefined {
    let first: Lane | undefined
    let least: LogRecord | undefined
    for (const lane of this.#lanes) {
      // What it holds may belong before everything else.
      if (lane.isBehind) return undefined
      const record = lane.peek()
      if (record === undefined || (least !== undefined && !isBefore(record, least))) continue
      first = lane
      least = record
    }
    return first
  }

  #count(): bigint {
    let count = 0
    for (const { next } of this.#lanes) count += next
    return BigInt(count)
  }
}

function isBefore(a: LogRecord, b: LogRecord): boolean {
  return a.version < b.version || (a.version === b.version && a.ordinal < b.ordinal)
}
