import { readRecords } from './batch-reader.ts'
import { committedBatches } from './committed.ts'
import type { Fetched } from './fetch.ts'
import { type Found, type Origin, toRecord } from './headers.ts'

/** Of a commit that is larger, the end is looked for first, and then it is read again. */
const giantBytes = 8 * 1024 * 1024

/**
 * One partition being read: what was fetched of it, and how much of that belongs to commits that
 * are whole. A commit is whole once a record bears the end mark, or one of another version follows.
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
  /** Everything before was looked at for ends of commits. */
  #seen: number
  #version: bigint | undefined
  /** While the end of a giant commit is looked for: where reading will go on. */
  #lookingFrom: number | undefined
  /** Everything before could be read when it was asked last; undefined before the first answer. */
  stable: number | undefined

  constructor(topicId: string, origin: Origin, from: number) {
    this.topicId = topicId
    this.#origin = origin
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
    for (const { batch, end } of committedBatches(fetched)) {
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
