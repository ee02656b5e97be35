import type { TopicPolicy } from '../core/topic-policy.ts'
import { firstBlocks, recordsOf, type StoredBlock } from './block-range.ts'
import type { EmbeddedLog } from './embedded.ts'
import type { Lane } from './lanes.ts'

/** Blocks that one transaction removes: about a megabyte. */
const blocksAtOnce = 32

/** How much a lane may keep. */
export type Limits = Pick<TopicPolicy, 'retentionMs' | 'retentionBytes'> & {
  /** Records from this sequence on are not removed, whatever else holds. */
  readonly before: number
}

/**
 * Removes the oldest records of a lane as far as the limits want it, one transaction's worth at the
 * most; the last block always stays, as it tells where the lane ends. Returns the bytes removed.
 */
export async function retain(log: EmbeddedLog, lane: Lane, limits: Limits): Promise<number> {
  const blocks = firstBlocks(log, lane, blocksAtOnce + 1)
  const gone: StoredBlock[] = []
  let bytes = 0
  let floor = lane.floor
  for (const [i, block] of blocks.entries()) {
    if (i === blocks.length - 1) break
    const last = recordsOf(log, lane, block.bytes).at(-1)!
    const isOld = last.timestamp < Date.now() - limits.retentionMs
    const isTooMuch = lane.bytes - bytes > limits.retentionBytes
    if (last.sequence >= limits.before || !(isOld || isTooMuch)) break
    gone.push(block)
    bytes += block.bytes.length
    floor = Number(last.sequence) + 1
  }
  if (gone.length === 0) return 0
  const next = blocks[gone.length]!
  lane.floor = floor
  lane.start = Number(recordsOf(log, lane, next.bytes)[0]!.offset)
  lane.bytes -= bytes
  lane.cleanBytes = Math.max(0, lane.cleanBytes - bytes)
  await log.change(({ blocks }) => {
    for (const { key } of gone) void blocks.remove(key)
    log.lanes.keep(lane)
  })
  return bytes
}
