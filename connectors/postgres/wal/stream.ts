import type { Client } from 'pg'
import { MillraceError } from '../../../src/core/errors.ts'
import type { Batch } from '../../../src/core/source.ts'
import { acknowledged, encodePosition, type PostgresPosition } from '../position.ts'
import { quoteLiteral, quoteName, translate } from '../session.ts'
import type { Heartbeat } from '../slot/heartbeat.ts'
import type { PublicationWatch } from '../slot/publication-watch.ts'
import type { RestartPoint } from '../slot/restart-point.ts'
import type { IncrementalSnapshot } from '../snapshot/incremental.ts'
import type { CommitBatches } from './commit-batches.ts'
import { ChangeDecoder, type DecodingOptions } from './decoder.ts'
import type { OpenRecord, Origin } from './envelope-writer.ts'
import { formatLsn, type Lsn } from './lsn.ts'
import { MessageStream, readErrorFields } from './message-stream.ts'
import type { Relations } from './relations.ts'
import { aliveEveryMs, silenceLimitMs } from './silence.ts'
import type { Replay, StreamedTransactions } from './streamed.ts'

const copyData = 0x64
const copyBoth = 0x57
const errorResponse = 0x45
const xLogData = 0x77
const keepalive = 0x6b

/** Where the payload of XLogData begins: after its tag, two LSNs and a time. */
const xLogHeader = 25
/** An acknowledgement is sent so often, where there is something new to acknowledge. */
const ackMs = 200
/** Once a second we look whether there is more. */
const waitMs = 1_000
/** Idle advances are written down so often, or after so much WAL. */
const idleMs = 10_000
const idleBytes = 4n * 1024n * 1024n

export interface Streaming {
  readonly client: Client
  readonly url: string
  readonly publication: string
  readonly position: PostgresPosition
  readonly relations: Relations
  readonly decoding: DecodingOptions
  readonly origin: Origin
  readonly batchBytes?: number | undefined
  /** The server's `wal_sender_timeout`; 0: it waits for ever. */
  readonly timeoutMs: number
  readonly heartbeat?: Heartbeat | undefined
  readonly restartPoint?: RestartPoint | undefined
  readonly published?: PublicationWatch | undefined
  readonly incremental: IncrementalSnapshot
  /** Where transactions are kept that come before they end; absent: the server keeps them. */
  readonly streamed?: StreamedTransactions | undefined
  /** What is durable downstream; the server may forget WAL up to there. */
  readonly acknowledged: () => Lsn
}

/** Streams every change after the position, without end. */
export async function* streamChanges(
  streaming: Streaming,
  signal: AbortSignal,
): AsyncGenerator<Batch<OpenRecord>> {
  const reader = new Reader(streaming)
  try {
    while (!signal.aborted) {
      streaming.published?.refuseLoss()
      await reader.decode()
      const batch = reader.take()
      if (batch !== undefined) yield batch
      else await reader.wait(signal)
    }
  } finally {
    reader.close()
  }
}

class Reader {
  readonly #streaming: Streaming
  readonly #messages: MessageStream
  readonly #decoder: ChangeDecoder
  readonly #batches: CommitBatches
  readonly #alive: NodeJS.Timeout
  #sent: Lsn = 0n
  #sentAt = 0
  /** End of WAL as of the last message, while nothing is under way. */
  #walEnd: Lsn = 0n
  #idleAt = Date.now()
  /** The server wants an answer: on its way down it waits until we have acknowledged everything. */
  #isAsked = false
  #silentMs = 0
  readonly #aliveMs: number
  readonly #silenceMs: number

  constructor(streaming: Streaming) {
    const { client, position, publication, relations, origin, batchBytes, decoding } = streaming
    this.#streaming = streaming
    this.#aliveMs = aliveEveryMs(streaming.timeoutMs)
    this.#silenceMs = silenceLimitMs(streaming.timeoutMs)
    this.#decoder = new ChangeDecoder({
      ...{ origin, position, relations: relations.known, batchBytes, options: decoding },
      observer: streaming.incremental,
    })
    this.#batches = this.#decoder.batches
    this.#messages = new MessageStream(client)
    const slot = quoteName(position.slot)
    const names = quoteLiteral(quoteName(publication))
    this.#messages.query(
      `START_REPLICATION SLOT ${slot} LOGICAL ${formatLsn(acknowledged(position))} ` +
        `(${protocol(streaming)}, messages 'true', publication_names ${names})`,
    )
    this.#alive = setInterval(() => this.#acknowledge(false), ackMs)
    streaming.heartbeat?.start()
    streaming.incremental.start(position.lastVersion)
  }

  /** Decodes what has arrived, up to a full batch. */
  async decode(): Promise<void> {
    const messages = this.#messages
    const { streamed } = this.#streaming
    while (!this.#batches.isFull && !this.#isDue) {
      if (streamed?.replay !== undefined) await this.#replay(streamed, streamed.replay)
      else if (!messages.next()) return
      else if (messages.type !== copyData) this.#control(messages.type)
      else if (messages.bytes[messages.start] === xLogData) {
        const { bytes, start, end } = messages
        const at = start + xLogHeader
        const lsn = bytes.readUInt32BE(start + 1) * 2 ** 32 + bytes.readUInt32BE(start + 5)
        if (streamed?.take(bytes, at, end, lsn)) {
          if (streamed.isDue) await streamed.settle()
          continue
        }
        const relation = this.#decoder.handle(bytes, at, lsn)
        if (relation !== undefined) await this.#streaming.relations.meet(relation)
      } else if (messages.bytes[messages.start] === keepalive) {
        this.#keepalive(messages.bytes, messages.start)
      }
    }
  }

  /** Decodes a transaction that was kept until it ended, up to a full batch. */
  async #replay(streamed: StreamedTransactions, replay: Replay): Promise<void> {
    while (!this.#batches.isFull) {
      if (replay.next()) {
        const relation = this.#decoder.handle(replay.bytes, replay.start, replay.lsn)
        if (relation !== undefined) await this.#streaming.relations.meet(relation)
      } else if (!(await replay.more())) {
        if (replay.end !== undefined) this.#decoder.handle(replay.end, 0, 0)
        await streamed.endReplay()
        return
      }
    }
  }

  take(): Batch<OpenRecord> | undefined {
    const { incremental } = this.#streaming
    if (incremental.isActive || this.#batches.position.incremental !== undefined) {
      this.#batches.amend(incremental.kept)
    }
    return this.#batches.take() ?? this.#enter() ?? this.#beat() ?? this.#idle()
  }

  /** A chunk of a snapshot has come to its place, which is between two commits. */
  get #isDue(): boolean {
    return this.#streaming.incremental.isDue && this.#batches.commit === undefined
  }

  #enter(): Batch<OpenRecord> | undefined {
    if (!this.#isDue) return undefined
    const { incremental } = this.#streaming
    const entry = incremental.next(this.#batches.position.lastVersion)
    if (entry === undefined) return undefined
    const { records, lastVersion } = entry
    this.#batches.amend({ ...incremental.kept, lastVersion })
    return { records, position: encodePosition(this.#batches.position), complete: true }
  }

  /** Waits for more. A connection that broke without a word shows only by its silence. */
  async wait(signal: AbortSignal): Promise<void> {
    const heard = await this.#messages.more(waitMs, signal)
    this.#silentMs = heard ? 0 : this.#silentMs + waitMs
    if (this.#silentMs < this.#silenceMs) return
    const message = `Postgres has not answered for ${this.#silentMs / 1000} seconds.`
    throw new MillraceError('CONNECTION_LOST', message)
  }

  close(): void {
    clearInterval(this.#alive)
    this.#streaming.heartbeat?.stop()
    this.#streaming.incremental.close()
    this.#acknowledge(true)
    this.#messages.close()
  }

  // Keepalive: 'k' walEnd:u64 time:i64 replyRequested:u8
  #keepalive(bytes: Buffer, at: number): void {
    this.#walEnd = bytes.readBigUInt64BE(at + 1)
    if (this.#batches.isIdle) void this.#streaming.restartPoint?.pass(this.#walEnd)
    if (bytes[at + 17] !== 1) return
    this.#isAsked = true
    this.#acknowledge(true)
  }

  /** A record of our own, between two commits. */
  #beat(): Batch<OpenRecord> | undefined {
    const { heartbeat } = this.#streaming
    if (!this.#batches.isIdle || !heartbeat?.takeDue()) return undefined
    return this.#batches.add((version) => heartbeat.record(version))
  }

  /** On an idle database nothing else would move the slot, and WAL would pile up. */
  #idle(): Batch<OpenRecord> | undefined {
    if (!this.#batches.isIdle) return undefined
    const ahead = this.#walEnd - acknowledged(this.#batches.position)
    const due = this.#isAsked || Date.now() - this.#idleAt >= idleMs || ahead >= idleBytes
    if (ahead <= 0n || !due) return undefined
    this.#idleAt = Date.now()
    this.#isAsked = false
    return this.#batches.idle(this.#walEnd)
  }

  #control(type: number): void {
    if (type === copyBoth) return
    const { bytes, start, end } = this.#messages
    if (type === errorResponse)
      throw translate(readErrorFields(bytes, start, end), this.#streaming.url)
    if (type === 0x63 || type === 0x43) {
      throw new MillraceError('CONNECTION_LOST', 'The server ended the replication stream.')
    }
  }

  // Status: 'r' written:u64 flushed:u64 applied:u64 time:i64 replyNow:u8
  #acknowledge(now: boolean): void {
    const lsn = this.#streaming.acknowledged()
    const asks = Date.now() - this.#sentAt >= this.#aliveMs
    if (!now && !asks && lsn <= this.#sent) return
    this.#sent = lsn
    this.#sentAt = Date.now()
    const status = Buffer.alloc(34)
    status.write('r', 0)
    for (const at of [1, 9, 17]) status.writeBigUInt64BE(lsn, at)
    status.writeBigInt64BE(BigInt(Date.now() - 946_684_800_000) * 1000n, 25)
    status[33] = asks ? 1 : 0
    this.#messages.copyData(status)
  }
}

/** From version 2 on, large transactions come while they are in progress. */
function protocol({ streamed }: Streaming): string {
  return streamed === undefined ? "proto_version '1'" : "proto_version '2', streaming 'on'"
}
