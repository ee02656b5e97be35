import type { NewRecord } from '../core/record.ts'

/** A commit of the log as the views' records shall tell of it. */
export interface Emission {
  readonly version: bigint
  readonly timestamp: number
  /** Sequence of the source commit that caused it. */
  readonly cause: bigint
}

/** Records on their way into the log, until they are many enough for a transaction of their own. */
export class Output {
  readonly #fullBytes: number
  #records: NewRecord[] = []
  #bytes = 0
  /** Place of the next record inside its commit. */
  ordinal = 0
  /** When the commit is being processed, in ms since 1970. */
  processedAt = 0

  constructor(fullBytes: number) {
    this.#fullBytes = fullBytes
  }

  get isFull(): boolean {
    return this.#bytes >= this.#fullBytes
  }

  get isEmpty(): boolean {
    return this.#records.length === 0
  }

  add(record: Omit<NewRecord, 'ordinal' | 'endsCommit'>, endsCommit: boolean): void {
    this.#records.push({ ...record, ordinal: this.ordinal++, endsCommit })
    this.#bytes += (record.value?.length ?? 0) + record.key!.length
  }

  take(): readonly NewRecord[] {
    const records = this.#records
    this.#records = []
    this.#bytes = 0
    return records
  }
}
