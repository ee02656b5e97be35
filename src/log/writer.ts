import { ByteWriter } from '../core/byte-writer.ts'
import type { NewRecord } from '../core/record.ts'
import type { Checkpoint, Outcome, Sink } from '../core/sink.ts'
import type { Batch, Position } from '../core/source.ts'
import { BlockBuilder } from './block.ts'
import type { EmbeddedLog } from './embedded.ts'
import { blockKey, getJson, json } from './environment.ts'
import type { Lane } from './lanes.ts'
import type { OpenCommit } from './readable.ts'

/** Blocks end after so many bytes: large enough for few LMDB entries, small enough to seek in. */
const blockBytes = 32 * 1024

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
    for (const record of records) {
      if (record.version !== this.#version) {
        this.#version = record.version
        this.#sequence = this.next++
      }
      this.#add(record)
    }
  }

  #add(record: NewRecord): void {
    const builder = this.#builder(record.topic)
    const { lane, block } = builder
    const schema = this.#log.lanes.schemaId(record.schema, this.#puts)
    const place = { sequence: this.#sequence, offset: lane.nextOffset++, schema }
    if (!block.isEmpty && (block.bytes > blockBytes || !block.takes(record, place))) {
      this.#close(builder)
    }
    block.add(record, place)
    builder.timestamp = record.timestamp
    builder.bytes += (record.key?.length ?? 0) + (record.value?.length ?? 0)
  }

  #builder(topic: string): Builder {
    if (this.#last?.lane.topic === topic) return this.#last
    let builder = this.#builders.get(topic)
    if (builder === undefined) {
      const lane = this.#log.lanes.open(topic, this.#writer, this.#puts)
      let out = this.#room.get(topic)
      if (out === undefined) this.#room.set(topic, (out = new ByteWriter(64 * 1024)))
      const block = new BlockBuilder(out)
      builder = { lane, block, timestamp: 0, bytes: 0 }
      this.#builders.set(topic, builder)
    }
    this.#last = builder
    return builder
  }

  #close({ lane, block }: Builder): void {
    const { sequence, offset } = block.first
    const key = blockKey({ lane: lane.id, sequence, offset })
    const bytes = block.take()
    this.#puts.push(() => this.#log.environment.blocks.put(key, bytes))
  }

  /** Queues everything for the transaction under way. */
  put(): void {
    for (const builder of this.#builders.values()) this.#close(builder)
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
