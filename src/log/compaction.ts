/*
 * Compaction leaves of a topic the newest record of each key, in place and with its offset, below a
 * horizon that moves on. It reads the part that is new, notes the newest record of each key
 * (key-index.ts), and then rewrites the blocks below the horizon from the last to the first, some
 * at a time, each time in one transaction. So it may be cut off at any moment: what is behind is
 * done, what is before is as it was, and a record goes only after the one that replaces it is there
 * and complete.
 *
 * Deletes and truncates stay until a second run comes across them, so that nothing older is left
 * that they hide, and until they are old enough and every registered group has passed.
 *
 * A reader in between knows a block by its key. A block that takes the place of several has the key
 * of the last of them, so that a reader who stands at any of those comes to it, and passes over
 * the records that it has had.
 */
import { ByteWriter } from '../core/byte-writer.ts'
import type { LogRecord } from '../core/record.ts'
import type { TopicPolicy } from '../core/topic-policy.ts'
import { BlockJoin } from './block-join.ts'
import {
  firstBlocks,
  firstSequence,
  lastBlocks,
  recordsOf,
  type StoredBlock,
} from './block-range.ts'
import type { EmbeddedLog } from './embedded.ts'
import { blockKey } from './environment.ts'
import { fillHoles } from './fill-holes.ts'
import { KeyIndex, type Newest, opOf } from './key-index.ts'
import type { Lane } from './lanes.ts'
import type { Pace } from './pace.ts'
import { recordAt, scanTopic } from './scan.ts'
import { blockBytes } from './writer.ts'

export interface Compaction {
  readonly policy: Pick<TopicPolicy, 'deleteRetentionMs' | 'minCompactionLagMs'>
  readonly pace: Pace
  /** Keys that are held in memory: with more of them, the horizon moves on in several runs. */
  readonly keysAtOnce?: number
  readonly blocksAtOnce?: number
}

/** Compacts what has come since the last run. Returns whether the horizon has moved. */
export async function compact(log: EmbeddedLog, lane: Lane, how: Compaction): Promise<boolean> {
  const last = lastBlocks(log, lane, { limit: 1 })[0]
  if (last === undefined) return false
  const end = Math.min(log.visible([lane.topic]), firstSequence(last))
  const { index, horizon } = await indexNew(log, lane, { end, how })
  if (horizon <= lane.clean) return false
  const rewriting = new Rewriting({ log, lane, how, index, horizon })
  await rewriting.run()
  return true
}

interface Indexed {
  readonly index: KeyIndex
  /** Everything below was read. */
  readonly horizon: number
}

/** Holes may be filled by rows that were compacted before: these keys are looked up, too. */
async function indexNew(
  log: EmbeddedLog,
  lane: Lane,
  { end, how }: { readonly end: number; readonly how: Compaction },
): Promise<Indexed> {
  const { keysAtOnce = 200_000, policy, pace } = how
  const newest = Date.now() - policy.minCompactionLagMs
  const fresh = { from: lane.clean, end, isEnough: isEnough(keysAtOnce, newest), pace }
  const found = await read(log, lane, fresh, new KeyIndex(lane.clean === 0 ? nothingOlder : {}))
  const { wanted } = found.index
  if (wanted.size === 0) return found
  const clean = { from: 0, end: lane.clean, isEnough: () => false, pace }
  const { index } = await read(log, lane, clean, new KeyIndex({ ...nothingOlder, only: wanted }))
  return await read(log, lane, fresh, new KeyIndex({ older: index.newest }))
}

const nothingOlder: { readonly older: ReadonlyMap<string, Newest> } = { older: new Map() }

function isEnough(keysAtOnce: number, newest: number) {
  return ({ newest: { size } }: KeyIndex, { timestamp }: LogRecord) =>
    size >= keysAtOnce || timestamp > newest
}

interface Stretch {
  readonly from: number
  readonly end: number
  /** Whether to stop before the record, which is the first of a commit. */
  readonly isEnough: (index: KeyIndex, record: LogRecord) => boolean
  readonly pace: Pace
}

async function read(
  log: EmbeddedLog,
  { topic }: Lane,
  { from, end, isEnough, pace }: Stretch,
  index: KeyIndex,
): Promise<Indexed> {
  let sequence = -1n
  for await (const record of scanTopic(log, topic, { from, end })) {
    if (record.sequence !== sequence) {
      if (isEnough(index, record)) return { index, horizon: Number(record.sequence) }
      sequence = record.sequence
      await pace.rest()
    }
    index.add(record)
  }
  return { index, horizon: end }
}

interface RewritingOptions extends Indexed {
  readonly log: EmbeddedLog
  readonly lane: Lane
  readonly how: Compaction
}

/** Goes through the blocks below the horizon, from the last to the first. */
class Rewriting {
  readonly #options: RewritingOptions
  readonly #out = new ByteWriter(1024 * 1024)
  /** The commit whose end mark stood on a record that is gone; the one before it takes the mark. */
  #unended: bigint | undefined
  #hasFilled = false
  #cleanBytes = 0

  constructor(options: RewritingOptions) {
    this.#options = options
  }

  async run(): Promise<void> {
    const { log, lane, horizon, how } = this.#options
    const { blocksAtOnce = 32, pace } = how
    let below = blockKey({ lane: lane.id, sequence: horizon, offset: 0 })
    for (;;) {
      const blocks = lastBlocks(log, lane, { below, limit: blocksAtOnce })
      if (blocks.length === 0) break
      below = blocks[0]!.key
      await this.#rewrite(blocks)
      await pace.rest()
    }
    lane.clean = horizon
    lane.cleanBytes = this.#cleanBytes
    lane.bytes = Math.max(lane.bytes, lane.cleanBytes)
    const first = firstBlocks(log, lane, 1)[0]
    if (first !== undefined) lane.start = Number(recordsOf(log, lane, first.bytes)[0]!.offset)
    await log.change(() => log.lanes.keep(lane))
    pace.resume()
  }

  async #rewrite(blocks: readonly StoredBlock[]): Promise<void> {
    const { log, lane, horizon, how } = this.#options
    const before = blocks.map(({ bytes }) => recordsOf(log, lane, bytes))
    const isForgotten = this.#forgetting()
    this.#hasFilled = false
    const after = before.toReversed().map((records) => this.#survivors(records, isForgotten))
    after.reverse()
    const isSame = !this.#hasFilled && count(after) === count(before)
    if (isSame && bytesOf(blocks) > (blocks.length * blockBytes) / 2) {
      this.#cleanBytes += bytesOf(blocks)
      return
    }
    this.#out.rewind()
    const join = new BlockJoin(log.lanes, lane, this.#out)
    for (const [i, { key }] of blocks.entries()) {
      join.add(key, after[i]!, before[i]!.at(-1)!.sequence >= horizon)
    }
    await this.#replace(blocks, join.end())
    how.pace.resume()
  }

  /** What is left of a block. */
  #survivors(
    records: readonly LogRecord[],
    isForgotten: (record: LogRecord) => boolean,
  ): readonly LogRecord[] {
    const { index, horizon } = this.#options
    const left: LogRecord[] = []
    for (let i = records.length - 1; i >= 0; i--) {
      const record = records[i]!
      if (record.endsCommit) this.#unended = record.sequence
      const isGone = record.sequence < horizon && (index.isOutdated(record) || isForgotten(record))
      if (isGone) continue
      left.push(this.#complete(record))
    }
    return left.reverse()
  }

  #complete(record: LogRecord): LogRecord {
    const { index, log, lane } = this.#options
    const endsCommit = this.#unended === record.sequence
    if (endsCommit) this.#unended = undefined
    const marked = endsCommit === record.endsCommit ? record : { ...record, endsCommit }
    const holes = index.holesOf(record)
    if (holes === undefined) return marked
    this.#hasFilled = true
    return fillHoles(marked, holes, ({ sequence, offset }) =>
      recordAt(log, lane.topic, { sequence: Number(sequence), offset }),
    )
  }

  /** Tells which deletes and truncates nobody needs any more; each that goes raises the floor. */
  #forgetting(): (record: LogRecord) => boolean {
    const { log, lane, how } = this.#options
    const below = Math.min(lane.clean, log.groups.lowest(lane.topic))
    const before = Date.now() - how.policy.deleteRetentionMs
    return (record) => {
      if (record.sequence >= below || record.timestamp >= before) return false
      const op = opOf(record)
      if (op !== 'd' && op !== 't') return false
      lane.floor = Math.max(lane.floor, Number(record.sequence) + 1)
      return true
    }
  }

  async #replace(old: readonly StoredBlock[], joined: readonly StoredBlock[]): Promise<void> {
    const { log, lane } = this.#options
    this.#cleanBytes += bytesOf(joined)
    lane.bytes += bytesOf(joined) - bytesOf(old)
    await log.change(({ blocks }) => {
      for (const { key } of old) void blocks.remove(key)
      for (const { key, bytes } of joined) void blocks.put(key, bytes)
      log.lanes.keep(lane)
    })
  }
}

function count(blocks: readonly (readonly LogRecord[])[]): number {
  return blocks.reduce((sum, records) => sum + records.length, 0)
}

function bytesOf(blocks: readonly StoredBlock[]): number {
  return blocks.reduce((sum, { bytes }) => sum + bytes.length, 0)
}
