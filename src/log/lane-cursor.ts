import { MillraceError } from '../core/errors.ts'
import type { LogRecord } from '../core/record.ts'
import { decodeBlock, isIntact } from './block.ts'
import { blockKey, readBlockKey } from './environment.ts'
import type { Lane } from './lanes.ts'
import type { Readable } from './readable.ts'

/** Blocks fetched at once: short read transactions pin no pages, few of them cost little. */
const blocksAtOnce = 8

/** Walks along one lane from a place on, block by block, as far as is visible. */
export class LaneCursor {
  readonly #log: Readable
  readonly #lane: Lane
  /** Records before this place are passed over. */
  readonly #from: { readonly sequence: number; readonly ordinal: number }
  /** Key of the last block fetched; the next one lies behind it. */
  #behind: Buffer
  #blocks: Buffer[] = []
  #records: readonly LogRecord[] = []
  #at = 0

  constructor(
    log: Readable,
    lane: Lane,
    from: { readonly sequence: number; readonly ordinal: number },
  ) {
    this.#log = log
    this.#lane = lane
    this.#from = from
    this.#behind = this.#keyBefore(from.sequence)
  }

  /** The next record below the sequence `end`, if there is one. */
  peek(end: number): LogRecord | undefined {
    while (this.#at >= this.#records.length) {
      if (!this.#fill(end)) return undefined
    }
    const record = this.#records[this.#at]!
    return record.sequence < end ? record : undefined
  }

  advance(): void {
    this.#at++
  }

  #fill(end: number): boolean {
    if (this.#blocks.length === 0) this.#fetch(end)
    const block = this.#blocks.shift()
    if (block === undefined) return false
    if (!isIntact(block)) {
      const place = `a block of topic ${this.#lane.topic} behind ${JSON.stringify(readBlockKey(this.#behind))}`
      throw new MillraceError('LOG_CORRUPT', `The log is damaged: ${place} fails its checksum.`)
    }
    this.#records = decodeBlock(block, this.#lane.topic, this.#log.lanes.schemaOf)
    this.#at = 0
    while (this.#at < this.#records.length && this.#isPassed(this.#records[this.#at]!)) this.#at++
    return true
  }

  #isPassed({ sequence, ordinal }: LogRecord): boolean {
    const { sequence: from, ordinal: first } = this.#from
    return sequence < from || (ordinal < first && Number(sequence) === from)
  }

  #fetch(end: number): void {
    if (this.#lane.end === 0) return
    const range = this.#log.environment.blocks.getRange({
      start: this.#behind,
      exclusiveStart: true,
      end: blockKey({ lane: this.#lane.id, sequence: end, offset: 0 }),
      limit: blocksAtOnce,
    })
    for (const { key, value } of range) {
      this.#blocks.push(value)
      this.#behind = key
    }
  }

  /** The block before the one that could hold the first record wanted. */
  #keyBefore(sequence: number): Buffer {
    const lane = this.#lane.id
    const first = blockKey({ lane, sequence: 0, offset: 0 })
    const start = blockKey({ lane, sequence, offset: 0 })
    const before = this.#log.environment.blocks.getKeys({
      start,
      end: first,
      reverse: true,
      limit: 2,
    })
    // The nearer of the two may still hold records of the wanted commit, the farther one cannot.
    const keys = [...before].filter((key) => readBlockKey(key).lane === lane)
    return keys[1] ?? first
  }
}
