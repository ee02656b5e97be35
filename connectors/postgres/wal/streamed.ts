import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { MillraceError } from '../../../src/core/errors.ts'
import { letter } from './pgoutput.ts'
import { Spill, SpillReader, spillFailed } from './spill.ts'

/*
 * Transactions that the server sends before they end, because they outgrew its
 * logical_decoding_work_mem (protocol version 2): pieces of several of them, one after another. In
 * between, the letter of each message is followed by the xid:u32 of its (sub-)transaction.
 *
 *   StreamStart:  'S' xid:u32 first:u8
 *   StreamStop:   'E'
 *   StreamAbort:  'A' xid:u32 subxid:u32   the same number twice: the transaction as a whole
 *   StreamCommit: 'c' xid:u32 flags:u8 commitLsn:u64 endLsn:u64 committedAt:i64
 */
const streamLetter = { start: 0x53, stop: 0x45, abort: 0x41, commit: 0x63 } as const

interface Streamed {
  readonly spill: Spill
  /** Sub-transactions that were rolled back. */
  readonly aborted: Set<number>
  hasMessages: boolean
  /** It has logical messages that may have been rolled back. */
  isUnclear: boolean
}

/**
 * Keeps transactions in progress until they end, outside of memory if they are large. One that
 * commits is replayed as if it came just then, as a whole: BEGIN, its messages, COMMIT.
 */
export class StreamedTransactions {
  readonly #directory: string
  readonly #open = new Map<number, Streamed>()
  /** Whose piece is being received. */
  #current: Streamed | undefined
  #dropped: Spill[] = []
  #replay: Replay | undefined

  constructor(directory: string) {
    this.#directory = directory
  }

  /** Bytes that are kept at this moment, of how many transactions. */
  get kept(): { readonly transactions: number; readonly bytes: number } {
    const spills = [...this.#open.values()].map(({ spill }) => spill)
    if (this.#replay !== undefined) spills.push(this.#replay.spill)
    return { transactions: spills.length, bytes: spills.reduce((sum, { size }) => sum + size, 0) }
  }

  /** Takes a message that is part of streaming. `false`: it is none, and means itself. */
  take(bytes: Buffer, at: number, end: number, lsn: number): boolean {
    const kind = bytes[at]
    if (this.#current !== undefined) {
      if (kind === streamLetter.stop) this.#current = undefined
      else if (isReplayed(kind)) keep(this.#current, bytes.subarray(at, end), lsn)
      return true
    }
    if (kind === streamLetter.start) this.#start(bytes.readUInt32BE(at + 1))
    else if (kind === streamLetter.abort)
      this.#abort(bytes.readUInt32BE(at + 1), bytes.readUInt32BE(at + 5))
    else if (kind === streamLetter.commit) this.#commit(bytes, at + 1)
    else return false
    return true
  }

  /** Does what took no time while messages came in: writes to files, removes them. */
  get isDue(): boolean {
    return this.#current?.spill.isFull || this.#dropped.length > 0
  }

  async settle(): Promise<void> {
    if (this.#current?.spill.isFull) await this.#current.spill.flush()
    await Promise.all(this.#dropped.splice(0).map((spill) => spill.remove()))
  }

  /** The transaction that is to be read to its end before any further message. */
  get replay(): Replay | undefined {
    return this.#replay
  }

  async endReplay(): Promise<void> {
    await this.#replay?.spill.remove()
    this.#replay = undefined
  }

  /** Forgets everything, also what a process before left behind. */
  async clear(): Promise<void> {
    for (const { spill } of this.#open.values()) this.#dropped.push(spill)
    this.#open.clear()
    this.#current = undefined
    try {
      await Promise.all([this.settle(), this.endReplay()])
      await rm(this.#directory, { recursive: true, force: true })
    } catch (cause) {
      throw spillFailed(this.#directory, cause as Error)
    }
  }

  #start(xid: number): void {
    let streamed = this.#open.get(xid)
    if (streamed === undefined) {
      const spill = new Spill(join(this.#directory, `${xid}.spill`))
      streamed = { spill, aborted: new Set(), hasMessages: false, isUnclear: false }
      this.#open.set(xid, streamed)
    }
    this.#current = streamed
  }

  #abort(xid: number, subxid: number): void {
    const streamed = this.#open.get(xid)
    if (streamed === undefined) return
    if (xid !== subxid) {
      streamed.aborted.add(subxid)
      streamed.isUnclear ||= streamed.hasMessages
    } else {
      this.#open.delete(xid)
      this.#dropped.push(streamed.spill)
    }
  }

  #commit(bytes: Buffer, at: number): void {
    const xid = bytes.readUInt32BE(at)
    const streamed = this.#open.get(xid)
    if (streamed === undefined) throw new Error(`transaction ${xid} ends, but never began`)
    if (streamed.isUnclear) throw unclear(xid)
    this.#open.delete(xid)
    this.#replay = new Replay(streamed, Buffer.from(bytes.subarray(at, at + 29)))
  }
}

/** What of a stream becomes records; types and origins do not. */
function isReplayed(kind: number | undefined): boolean {
  return kind !== letter.type && kind !== letter.origin
}

/** Keeps a message as it would come outside of a stream: without its xid. */
function keep(streamed: Streamed, message: Buffer, lsn: number): void {
  streamed.hasMessages ||= message[0] === letter.message
  const { bytes, at } = streamed.spill.add(message.length - 4, message.readUInt32BE(1), lsn)
  bytes[at] = message[0]!
  message.copy(bytes, at + 1, 5)
}

/** The server names the transaction for a message, not the sub-transaction (seen in 18.4). */
function unclear(xid: number): MillraceError {
  const fact = `Transaction ${xid} wrote logical messages and then rolled a savepoint back`
  const why = 'in progress, the server does not tell which of them are gone.'
  return new MillraceError('SERVER_ERROR', `${fact}; ${why}`)
}

/**
 * A transaction that was streamed and has committed, message by message, as if it had not been: as
 * the server does, it leaves out one without changes. What was rolled back in it is dropped with
 * its descriptions of tables; where they still matter, the server has sent them again.
 */
export class Replay {
  /** Holds the current message, which starts at `start`. */
  bytes: Buffer
  start = 0
  lsn = 0
  readonly spill: Spill
  readonly #aborted: ReadonlySet<number>
  readonly #begin: Buffer
  readonly #end: Buffer
  #reader: SpillReader | undefined
  #isBegun = false
  /** The reader's message is yet to be shown: BEGIN came before it. */
  #isBehind = false

  /** `commit` is a StreamCommit from its xid on. */
  constructor({ spill, aborted }: Streamed, commit: Buffer) {
    this.spill = spill
    this.#aborted = aborted
    const [lsn, committedAt] = [commit.subarray(5, 13), commit.subarray(21, 29)]
    this.#begin = Buffer.concat([Buffer.of(letter.begin), lsn, committedAt, commit.subarray(0, 4)])
    this.#end = Buffer.concat([Buffer.of(letter.commit), commit.subarray(4)])
    this.bytes = this.#begin
  }

  /** Moves to the next message that is in memory. */
  next(): boolean {
    const reader = this.#reader
    if (reader === undefined) return false
    while (this.#isBehind || reader.next()) {
      if (this.#aborted.has(reader.xid)) continue
      this.#isBehind = !this.#isBegun
      this.#isBegun = true
      this.bytes = this.#isBehind ? this.#begin : reader.bytes
      this.start = this.#isBehind ? 0 : reader.start
      this.lsn = reader.lsn
      return true
    }
    return false
  }

  /** Brings further messages into memory. `false`: there are none. */
  async more(): Promise<boolean> {
    if (this.#reader !== undefined) return await this.#reader.more()
    if (this.spill.hasFile) await this.spill.flush()
    this.#reader = new SpillReader(this.spill)
    return true
  }

  /** COMMIT, which is behind all; `undefined` for a transaction without changes. */
  get end(): Buffer | undefined {
    return this.#isBegun ? this.#end : undefined
  }
}
