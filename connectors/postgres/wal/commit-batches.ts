import type { Batch } from '../../../src/core/source.ts'
import { encodePosition, isInside, type PostgresPosition } from '../position.ts'
import type { Commit, OpenRecord } from './envelope-writer.ts'
import type { Lsn } from './lsn.ts'
import type { Begin } from './pgoutput.ts'

/** A batch is due after so many bytes; a commit that is larger goes out in parts of this size. */
const defaultBatchBytes = 1024 * 1024

/** The commit under way, and how much of it went out in an earlier life. */
export interface OpenCommit extends Commit {
  readonly lsn: number
  readonly timestamp: number
  /** Changes below this one went out already, but for those in `held`. */
  readonly skip: number
  readonly held: ReadonlySet<number>
}

/** Where the last whole commit stands, or the part of the current one that went out. */
interface Progress {
  commit: number
  ordinal: number
  held: readonly number[]
  commitEnd: number
  lastVersion: number
  idle: Lsn | undefined
}

const noneHeld: ReadonlySet<number> = new Set()
const nothingHeld: readonly number[] = []

/** A topic's last record of the current commit, with those that share its ordinal. */
interface Held {
  record: OpenRecord
  bytes: number
}

export interface BatchSizes {
  readonly batchBytes?: number | undefined
  /** Most records of a batch. */
  readonly batchRecords: number
}

/** Whether a commit went out whole in an earlier life. */
export function isPast({ skip }: OpenCommit): boolean {
  return skip === Number.MAX_SAFE_INTEGER
}

/**
 * Cuts records into batches at commits, and keeps the position. Each topic's last record of a
 * commit must bear the end mark, and only COMMIT tells which it was: of a commit that goes out in
 * parts, that record of every topic waits for the next part.
 */
export class CommitBatches {
  /** Counts the changes of the commit under way, as the server sends them. */
  ordinal = 0
  /** What of the position no commit changes. */
  #kept: PostgresPosition
  /** In plain numbers, and in place: every commit moves it, while only batches need a position. */
  readonly #at: Progress
  #records: OpenRecord[] = []
  readonly #batchBytes: number
  readonly #batchRecords: number
  /** Of the records that may go out: all but those in #last. */
  #bytes = 0
  /** The part of #bytes that belongs to the current commit. */
  #commitBytes = 0
  #commit: OpenCommit | undefined
  /** Where in #records the current commit begins. */
  #commitStart = 0
  readonly #last = new Map<string, Held>()
  #moved = false

  constructor(
    position: PostgresPosition,
    { batchBytes = defaultBatchBytes, batchRecords }: BatchSizes,
  ) {
    const { commit, ordinal, held, commitEnd, lastVersion, idle } = position
    this.#kept = position
    this.#at = {
      ...{ commit: Number(commit), ordinal, held, commitEnd: Number(commitEnd) },
      ...{ lastVersion: Number(lastVersion), idle },
    }
    this.#batchBytes = batchBytes
    this.#batchRecords = batchRecords
  }

  get position(): PostgresPosition {
    const { commit, ordinal, held, commitEnd, lastVersion, idle } = this.#at
    return {
      ...this.#kept,
      ...{ commit: BigInt(commit), ordinal, held, commitEnd: BigInt(commitEnd) },
      ...{ lastVersion: BigInt(lastVersion), idle },
    }
  }

  /** LSN of the last commit of which records were taken. */
  get lastCommit(): number {
    return this.#at.commit
  }

  /** The commit under way. */
  get commit(): OpenCommit | undefined {
    return this.#commit
  }

  /** No BEGIN without its COMMIT, and nothing that waits to go out. */
  get isIdle(): boolean {
    return this.#commit === undefined && this.#records.length === 0 && !this.#moved
  }

  get isFull(): boolean {
    return this.#bytes >= this.#batchBytes || this.#records.length > this.#batchRecords
  }

  /** Whether the change at hand went out in an earlier life; then it is only counted. */
  get isPassed(): boolean {
    const { skip, held } = this.#commit!
    return this.ordinal < skip && !held.has(this.ordinal)
  }

  begin({ lsn, micros, xid }: Begin): OpenCommit {
    const before = this.#at
    const again = lsn === before.commit && isInside(before)
    const skip = lsn > before.commit ? 0 : again ? before.ordinal : Number.MAX_SAFE_INTEGER
    const { lastVersion, commitEnd } = before
    this.#commit = {
      lsn,
      xid,
      micros,
      skip,
      held: again ? new Set(before.held) : noneHeld,
      version: BigInt(again ? lastVersion : Math.max(lsn, lastVersion + 1)),
      timestamp: Math.floor(micros / 1000),
      previous: commitEnd,
    }
    this.#commitStart = this.#records.length
    this.ordinal = 0
    return this.#commit
  }

  push(record: OpenRecord): void {
    const { topic, key, value } = record
    this.#records.push(record)
    this.#hold(topic, record, (key?.length ?? 0) + (value?.length ?? 0) + 32)
  }

  /** COMMIT: the commit is whole. */
  end(endLsn: number): void {
    const commit = this.#commit!
    const wrote = this.ordinal > 0 || this.#last.size > 0
    for (const { record, bytes } of this.#last.values()) {
      record.endsCommit = true
      this.#bytes += bytes
    }
    this.#last.clear()
    this.#commit = undefined
    this.#commitStart = this.#commitBytes = 0
    if (isPast(commit)) return
    const at = this.#at
    at.commit = commit.lsn
    at.ordinal = this.ordinal
    at.held = nothingHeld
    at.commitEnd = endLsn
    if (wrote) at.lastVersion = Number(commit.version)
    at.idle = undefined
    this.#moved = true
  }

  /** What is ready: all whole commits, or a part of one that is a giant. */
  take(): Batch<OpenRecord> | undefined {
    if (this.#commit === undefined || this.#commitStart > 0) return this.#takeWhole()
    return this.isFull ? this.#takePart(this.#commit) : undefined
  }

  /** An idle moment: everything up to `walEnd` has been seen. */
  idle(walEnd: Lsn): Batch<OpenRecord> {
    this.#at.idle = walEnd
    return { records: [], position: encodePosition(this.position), complete: true }
  }

  /** A record that is no change of the database; between commits, it is one of its own. */
  add(make: (version: bigint) => OpenRecord): Batch<OpenRecord> {
    const version = BigInt(++this.#at.lastVersion)
    const position = encodePosition(this.position)
    return { records: [make(version)], position, complete: true }
  }

  /** Puts down in the position what others keep there. */
  amend(change: Partial<Pick<PostgresPosition, 'incremental' | 'unread' | 'lastVersion'>>): void {
    this.#kept = { ...this.#kept, ...change }
    if (change.lastVersion !== undefined) this.#at.lastVersion = Number(change.lastVersion)
  }

  #takeWhole(): Batch<OpenRecord> | undefined {
    const count = this.#commit === undefined ? this.#records.length : this.#commitStart
    if (count === 0 && !this.#moved) return undefined
    const records = count === this.#records.length ? this.#records : this.#records.slice(0, count)
    this.#records = this.#records.slice(count)
    this.#commitStart = 0
    this.#moved = false
    this.#bytes = this.#commitBytes
    return { records, position: encodePosition(this.position), complete: true }
  }

  #takePart(commit: OpenCommit): Batch<OpenRecord> {
    const held = new Set([...this.#last.values()].map(({ record }) => record.ordinal))
    const records = this.#records.filter(({ ordinal }) => !held.has(ordinal))
    this.#records = this.#records.filter(({ ordinal }) => held.has(ordinal))
    this.#bytes = this.#commitBytes = 0
    const at = this.#at
    at.commit = commit.lsn
    at.ordinal = this.ordinal
    at.held = [...held]
    at.lastVersion = Number(commit.version)
    return { records, position: encodePosition(this.position), complete: false }
  }

  /** The record takes the place of the topic's last one, which may go out from now on. */
  #hold(topic: string, record: OpenRecord, bytes: number): void {
    const last = this.#last.get(topic)
    if (last === undefined) {
      this.#last.set(topic, { record, bytes })
      return
    }
    if (last.record.ordinal === record.ordinal) last.bytes += bytes
    else {
      this.#bytes += last.bytes
      this.#commitBytes += last.bytes
      last.bytes = bytes
    }
    last.record = record
  }
}
