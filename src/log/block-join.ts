import type { ByteWriter } from '../core/byte-writer.ts'
import type { LogRecord } from '../core/record.ts'
import { BlockBuilder } from './block.ts'
import type { StoredBlock } from './block-range.ts'
import { blockKey } from './environment.ts'
import type { Lane, Lanes } from './lanes.ts'
import { blockBytes } from './writer.ts'

/**
 * Puts what is left of consecutive blocks together again. The keys are such that a reader who knows
 * only the key of an old block finds behind it all records that came behind that block.
 */
export class BlockJoin {
  readonly #lanes: Lanes
  readonly #lane: Lane
  readonly #block: BlockBuilder
  readonly #joined: StoredBlock[] = []
  #first: Buffer = Buffer.alloc(0)
  #key: Buffer = Buffer.alloc(0)

  /** What it gives lies in `out`. */
  constructor(lanes: Lanes, lane: Lane, out: ByteWriter) {
    this.#lanes = lanes
    this.#lane = lane
    this.#block = new BlockBuilder(out)
  }

  /** Takes what is left of the block that had the key. `alone`: it stays a block of its own. */
  add(key: Buffer, records: readonly LogRecord[], alone: boolean): void {
    if (alone) this.#close()
    for (const record of records) this.#add(record, alone)
    if (this.#block.isEmpty) return
    this.#key = alone || Buffer.compare(key, this.#first) > 0 ? key : this.#first
    if (alone) this.#close()
  }

  end(): readonly StoredBlock[] {
    this.#close()
    return this.#joined
  }

  #add(record: LogRecord, alone: boolean): void {
    const place = {
      sequence: Number(record.sequence),
      offset: Number(record.offset),
      schema: this.#lanes.schemaId(record.schema, []),
    }
    const isFull = this.#block.bytes > blockBytes && !alone
    if (!this.#block.isEmpty && (isFull || !this.#block.takes(record, place))) this.#close()
    this.#key = blockKey({ lane: this.#lane.id, ...place })
    if (this.#block.isEmpty) this.#first = this.#key
    this.#block.add(record, place)
  }

  #close(): void {
    if (this.#block.isEmpty) return
    this.#joined.push({ key: this.#key, bytes: this.#block.take() })
  }
}
