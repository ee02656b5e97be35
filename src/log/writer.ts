import { ByteWriter } from '../core/byte-writer.ts'
import { freeRecords, type PackedRecords, packedOf } from '../core/packed-records.ts'
import type { NewRecord } from '../core/record.ts'
import type { Checkpoint, Outcome, Sink } from '../core/sink.ts'
import type { Batch, Position } from '../core/source.ts'
import { BlockBuilder, headerBytes, mostBytes } from './block.ts'
import type { EmbeddedLog } from './embedded.ts'
import { blockKey, getJson, json } from './environment.ts'
import type { Lane } from './lanes.ts'
import type { OpenCommit } from './readable.ts'

/**
 * Blocks are no larger, unless a single record is: large enough for few LMDB entries, small enough
 * to seek in. With LMDB's own header one fills eight pages; a byte more would take a ninth.
 */
export const blockBytes = 8 * 4096 - 64

/** Appends records; they become durable and visible with the position they came from. */
export class LogWriter implements Sink<NewRecord> {
  readonly name: string
  readonly #log: EmbeddedLog
  #staged: (readonly NewRecord[])[] = []
  #complete = true

  constructor(log: EmbeddedLog, name: string) {
    this.#log = log
    this.name = name
  }

  async resume(_source: string): Promise<Position | undefined> {
    this.#staged = []
    this.#complete = true
    return getJson<{ position: Position }>(this.#log.environment.positions, this.name)?.position
  }

  /** What this writer wrote stays: a log forgets nothing. It starts again from the beginning. */
  async clear(): Promise<void> {
    this.#staged = []
    await this.#log.commit(this.name, () => this.#log.environment.positions.remove(this.name))
  }

  async write({ records, complete }: Batch<NewRecord>): Promise<readonly Outcome[]> {
    if (records.length > 0) this.#staged.push(records)
    this.#complete = complete
    return appliedTimes(records.length)
  }

  async commit({ position, timestamp }: Checkpoint): Promise<void> {
    const staged = this.#staged
    this.#staged = []
    await this.#log.commit(this.name, (append) => {
      append(staged, this.#complete)
      this.#log.environment.positions.put(this.name, json({ position, timestamp }))
    })
  }

  async close(): Promise<void> {
    this.#staged = []
  }
}

function appliedTimes(count: number): readonly Outcome[] {
  return new Array<Outcome>(count).fill('applied')
}

interface Builder {
  readonly lane: Lane
  readonly block: BlockBuilder
  timestamp: number
  bytes: number
}

/** Packed records become blocks one after another, so that all topics of them share a room. */
const packedRoom = ''

/** Room for blocks, by topic. What is in it must stay as it is until the commit is durable. */
export type BlockRoom = Map<string, ByteWriter>

interface Appending {
  readonly log: EmbeddedLog
  readonly writer: string
  /** The writer's commit of which a part is written already. */
  readonly open: OpenCommit | undefined
  /** The next free sequence. */
  readonly next: number
  readonly room: BlockRoom
}

/** One transaction's records on their way into blocks. */
export class Append {
  readonly #log: EmbeddedLog
  readonly #writer: string
  readonly #builders = new Map<string, Builder>()
  readonly #puts: (() => void)[] = []
  readonly #room: BlockRoom
  #sequence: number
  #version: bigint | undefined
  #last: Builder | undefined

  constructor({ log, writer, open, next, room }: Appending) {
    this.#room = room
    this.#log = log
    this.#writer = writer
    this.#sequence = open?.sequence ?? next - 1
    this.#version = open === undefined ? undefined : BigInt(open.version)
    this.next = next
  }

  /** The next free sequence. */
  next: number

  /** The commit that the records end in. */
  get current(): OpenCommit {
    return { sequence: this.#sequence, version: String(this.#version) }
  }

  /** A greater version than the last begins a commit, with a sequence of its own. */
  records(records: readonly NewRecord[]): void {
    const packed = packedOf(records)
    if (packed !== undefined) {
      this.#enter(packed.version)
      this.#addPacked(packed)
      freeRecords(records)
      return
    }
    for (const record of records) {
      this.#enter(record.version)
      this.#add(record)
    }
  }

  #enter(version: bigint): void {
    if (version === this.#version) return
    this.#version = version
    this.#sequence = this.next++
  }

  #addPacked(packed: PackedRecords): void {
    const builder = this.#builder(packed.topic)
    const { lane } = builder
    const schema = this.#log.lanes.schemaId(packed.schema, this.#puts)
    const { ends } = packed
    this.#close(builder, builder.block)
    const block = new BlockBuilder(this.#roomOf(packedRoom))
    for (let from = 0; from < ends.length; ) {
      const full = (ends[from - 1] ?? 0) + blockBytes - headerBytes
      let to = from + 1
      while (to < ends.length && ends[to]! <= full) to++
      const offset = lane.nextOffset
      block.addPacked(packed, from, to, { sequence: this.#sequence, offset, schema })
      this.#close(builder, block)
      lane.nextOffset += to - from
      from = to
    }
    builder.timestamp = packed.timestamp
  }

  #add(record: NewRecord): void {
    const builder = this.#builder(record.topic)
    const { lane, block } = builder
    const schema = this.#log.lanes.schemaId(record.schema, this.#puts)
    const place = { sequence: this.#sequence, offset: lane.nextOffset++, schema }
    const bytes = block.bytes + mostBytes(record)
    if (!block.isEmpty && (bytes > blockBytes || !block.takes(record, place))) {
      this.#close(builder, block)
    }
    block.add(record, place)
    builder.timestamp = record.timestamp
  }

  #builder(topic: string): Builder {
    if (this.#last?.lane.topic === topic) return this.#last
    let builder = this.#builders.get(topic)
    if (builder === undefined) {
      const lane = this.#log.lanes.open(topic, this.#writer, this.#puts)
      const block = new BlockBuilder(this.#roomOf(topic))
      builder = { lane, block, timestamp: 0, bytes: 0 }
      this.#builders.set(topic, builder)
    }
    this.#last = builder
    return builder
  }

  #roomOf(topic: string): ByteWriter {
    let out = this.#room.get(topic)
    if (out === undefined) this.#room.set(topic, (out = new ByteWriter(64 * 1024)))
    return out
  }

  #close(builder: Builder, block: BlockBuilder): void {
    if (block.isEmpty) return
    const { lane } = builder
    const { sequence, offset } = block.first
    const key = blockKey({ lane: lane.id, sequence, offset })
    const bytes = block.take()
    builder.bytes += bytes.length
    this.#puts.push(() => this.#log.environment.blocks.put(key, bytes))
  }

  /** Queues everything for the transaction under way. */
  put(): void {
    for (const builder of this.#builders.values()) this.#close(builder, builder.block)
    for (const put of this.#puts) put()
  }

  /** Called once the records are durable. */
  done(): void {
    for (const { lane, timestamp, bytes } of this.#builders.values()) {
      lane.end = this.#sequence + 1
      lane.timestamp = timestamp
      lane.bytes += bytes
    }
  }
}
