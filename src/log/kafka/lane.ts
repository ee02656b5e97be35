import { readRecords } from './batch-reader.ts'
import { committedBatches } from './committed.ts'
import type { Fetched } from './fetch.ts'
import { type Found, type Origin, toRecord } from './headers.ts'

/** Where to read from, and the offset before which all could be read at that time. */
export interface Span {
  readonly from: number
  readonly end: number
}

/** Of a commit that is larger, the end is looked for first, and then it is read again. */
const giantBytes = 8 * 1024 * 1024

/**
 * One partition being read: what was fetched of it, and how much of that belongs to commits that
 * are whole. A commit is whole once a record bears the end mark, or one of another version follows,
 * or a transaction is committed that has no record here: only the last of a commit in parts is so.
 */
export class Lane {
  readonly topicId: string
  readonly #origin: Origin
  #queue: Found[] = []
  #head = 0
  /** Bytes of what is queued. */
  bytes = 0
  /** Where to fetch next. */
  fetchAt: number
  /** Everything before belongs to whole commits. */
  #whole: number
  /** Producers that have written here since the last marker of theirs. */
  readonly #writing = new Set<bigint>()
  /** Everything before was looked at for ends of commits. */
  #seen: number
  #version: bigint | undefined
  /** While the end of a giant commit is looked for: where reading will go on. */
  #lookingFrom: number | undefined
  /** Everything before could be read when it was asked last; undefined before the first answer. */
  stable: number | undefined
  /** Everything before could be read when reading began. */
  readonly #end: number
  readonly #begin: number

  constructor(topicId: string, origin: Origin, { from, end }: Span) {
    this.topicId = topicId
    this.#origin = origin
    this.#end = end
    this.#begin = from
    this.fetchAt = from
    this.#whole = from
    this.#seen = from
  }

  get topic(): string {
    return this.#origin.topic
  }

  get partition(): number {
    return this.#origin.partition
  }

  /** Offset of the next record to give out; markers of transactions are passed over. */
  get next(): number {
    const head = this.#queue[this.#head]
    if (head !== undefined) return Number(head.offset)
    return this.#lookingFrom ?? this.fetchAt
  }

  /** Whether there is nothing to give out, and more to be had at once. */
  get isBehind(): boolean {
    return this.peek() === undefined && (this.stable === undefined || this.fetchAt < this.stable)
  }

  /**
   * Whether all that can be read was given out. A broker that has just begun to lead may show less
   * for a while than the one before: so it is never less than what there was in the beginning.
   */
  get isAtEnd(): boolean {
    const isKnown = this.stable !== undefined && this.fetchAt >= this.#end
    return isKnown && this.peek() === undefined && !this.isBehind
  }

  /** Whether there was more to read when reading began. */
  get beganBehind(): boolean {
    return this.#begin < this.#end
  }

  /** Everything before could be read when reading began. */
  get stableAtStart(): number {
    return this.#end
  }

  /** The next record, if its commit is whole. */
  peek(): Found | undefined {
    const head = this.#queue[this.#head]
    return head !== undefined && head.offset < this.#whole ? head : undefined
  }

  shift(): void {
    const { key, value } = this.#queue[this.#head++]!
    this.bytes -= (key?.length ?? 0) + (value?.length ?? 0)
    if (this.#head < 1_000 && this.#head < this.#queue.length) return
    this.#queue = this.#queue.slice(this.#head)
    this.#head = 0
  }

  /** Takes in an answer to a fetch from `fetchAt`. */
  take(fetched: Fetched): void {
    for (const { batch, end, producerId, isCommit } of committedBatches(fetched)) {
      if (isCommit === undefined) this.#writing.add(producerId)
      else if (!this.#writing.delete(producerId) && isCommit) this.#close(end)
      if (batch !== undefined) {
        for (const raw of readRecords(batch, this.fetchAt)) this.#add(toRecord(raw, this.#origin))
      }
      this.fetchAt = Math.max(this.fetchAt, end)
    }
    this.stable = fetched.stable
    this.#look()
  }

  #add(record: Found): void {
    const offset = Number(record.offset)
    if (offset >= this.#seen) {
      if (record.version !== this.#version) this.#whole = offset
      if (record.endsCommit) this.#whole = offset + 1
      this.#version = record.version
      this.#seen = offset + 1
    }
    if (this.#lookingFrom !== undefined) return
    this.#queue.push(record)
    this.bytes += (record.key?.length ?? 0) + (record.value?.length ?? 0)
  }

  /** A commit in parts ends here, with a transaction that wrote elsewhere only. */
  #close(end: number): void {
    this.#whole = Math.max(this.#whole, end)
    this.#seen = Math.max(this.#seen, end)
  }

  #look(): void {
    const isOpen = this.peek() === undefined
    if (this.#lookingFrom !== undefined && this.#whole >= this.#lookingFrom) {
      this.fetchAt = this.#lookingFrom
      this.#lookingFrom = undefined
    } else if (isOpen && this.bytes > giantBytes) {
      this.#lookingFrom ??= this.fetchAt
    }
  }
}
