import { MillraceError } from '../core/errors.ts'
import type { LogRecord } from '../core/record.ts'
import { recordsOf } from './block-range.ts'
import { blockKey, readBlockKey } from './environment.ts'
import type { Lane } from './lanes.ts'
import { orCorrupt } from './log-file.ts'
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
  /** Where the lane's floor was at the start: what had been removed by then is missed by nobody. */
  readonly #floor: number
  #blocks: Buffer[] = []
  #records: readonly LogRecord[] = []
  #at = 0
  /** Compaction may join a block that was read with later ones: its records are passed over. */
  #last: LogRecord | undefined

  constructor(
    log: Readable,
    lane: Lane,
    from: { readonly sequence: number; readonly ordinal: number },
  ) {
    this.#log = log
    this.#lane = lane
    this.#from = from
    this.#floor = lane.floor
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
    this.#last = this.#records.at(-1) ?? this.#last
    this.#records = recordsOf(this.#log, this.#lane, block)
    this.#at = 0
    while (this.#at < this.#records.length && this.#isPassed(this.#records[this.#at]!)) this.#at++
    return true
  }

  #isPassed({ sequence, ordinal, offset }: LogRecord): boolean {
    const { sequence: from, ordinal: first } = this.#from
    if (sequence < from || (ordinal < first && Number(sequence) === from)) return true
    const last = this.#last
    if (last === undefined || sequence > last.sequence) return false
    return sequence < last.sequence || offset <= last.offset
  }

  #fetch(end: number): void {
    if (this.#lane.end === 0) return
    if (this.#lane.floor > this.#floor) this.#checkGap()
    orCorrupt(`the topic ${this.#lane.topic}`, () => {
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
    })
  }

  /** Throws LOG_GAP if records were removed that this cursor has not come to. */
  #checkGap(): void {
    const { topic, floor } = this.#lane
    const at = Number(this.#records.at(-1)?.sequence ?? this.#last?.sequence ?? 0)
    const seen = Math.max(at, this.#from.sequence - 1)
    if (seen + 1 >= floor) return
    const message = `${topic} is read at sequence ${seen}, but some of its records below ${floor} were removed meanwhile.`
    throw new MillraceError('LOG_GAP', message)
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
