import type { LogRecord } from '../../core/record.ts'
import type { Found } from './headers.ts'
import type { Lane } from './lane.ts'
import type { OpenCommit } from './position.ts'

/** A batch ends at the first commit after so many bytes … */
const batchBytes = 1024 * 1024
/** … or, inside a giant commit, after so many. */
const partBytes = 4 * batchBytes

export interface Merged {
  readonly records: readonly Found[]
  /** The commit inside which the batch ends, if it does. */
  readonly open: OpenCommit | undefined
  /** Whether nothing more could be read when it was put together. */
  readonly atEnd: boolean
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
  /** Whether a batch was given out after which more was to come. */
  #owes = false

  constructor(lanes: readonly Lane[], open: OpenCommit | undefined) {
    this.#lanes = lanes
    this.#open = open
  }

  /**
   * What can be given out now; undefined if more has to be fetched first. No records: what seemed
   * to come has shown to be none, such as those of a transaction that was aborted.
   */
  next(): Merged | undefined {
    const found = this.#gather()
    const atEnd = this.#lanes.every((lane) => lane.isAtEnd)
    if (found === undefined && !(this.#owes && atEnd)) return undefined
    this.#owes = !atEnd
    return { records: found ?? [], open: this.#open, atEnd }
  }

  #gather(): readonly Found[] | undefined {
    const records: Found[] = []
    let bytes = 0
    for (;;) {
      const lane = this.#first()
      const record = lane?.peek()
      const isSame = record !== undefined && record.version === this.#open?.version
      if (records.length > 0) {
        if (record === undefined || (!isSame && bytes >= batchBytes)) return this.#end(records)
        if (bytes >= partBytes) return records
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
  #end(records: readonly Found[]): readonly Found[] {
    const last = records.at(-1)!
    const lane = this.#lanes.find(
      (lane) => lane.topic === last.topic && lane.partition === last.partition,
    )!
    const isWhole = last.endsCommit || lane.peek() !== undefined || !lane.isBehind
    if (isWhole) this.#open = undefined
    return records
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
