import { setTimeout as sleep } from 'node:timers/promises'
import { describeError, MillraceError } from '../core/errors.ts'
import type { PolicyOf, TopicPolicy } from '../core/topic-policy.ts'
import { blockFrom, firstOffset, firstTimestamp } from './block-range.ts'
import { compact } from './compaction.ts'
import type { EmbeddedLog } from './embedded.ts'
import { usedBytes } from './environment.ts'
import type { Lane } from './lanes.ts'
import { Pace } from './pace.ts'
import { retain } from './retention.ts'

export interface Cleaning {
  readonly policyOf: PolicyOf
  /** What the log may fill, in bytes: beyond, records go although a group needs them. */
  readonly capBytes: number
  /** Says what somebody should know: that a group was forgotten, or has lost records. */
  readonly say: (line: string) => void
}

const everyMs = 60_000
/** A topic is compacted once so many bytes are new, and half of it. */
const dirtyBytes = 4 * 1024 * 1024

/** Removes what the policies do not keep, every minute, little by little, until aborted. */
export async function keepClean(
  log: EmbeddedLog,
  cleaning: Cleaning,
  signal: AbortSignal,
): Promise<void> {
  for (;;) {
    // A start has enough to do: the first round comes a minute later.
    await sleep(everyMs, undefined, { signal }).catch(() => {})
    if (signal.aborted) return
    try {
      await clean(log, cleaning, signal)
    } catch (error) {
      if (error instanceof MillraceError) cleaning.say(describeError(error))
      else if (!signal.aborted) throw error
    }
  }
}

/** One round over all topics. */
export async function clean(
  log: EmbeddedLog,
  cleaning: Cleaning,
  signal?: AbortSignal,
): Promise<void> {
  const pace = new Pace(signal)
  for (const group of log.groups.expire()) {
    cleaning.say(`the group ${group} was not seen for a week and is forgotten`)
  }
  for (const lane of [...log.lanes.all]) {
    const lanePace = isFarBehind(lane) ? new Pace(signal, 2) : pace
    await cleanLane(log, lane, { policy: cleaning.policyOf(lane.topic), pace: lanePace })
  }
  await keepBelowCap(log, cleaning, pace)
}

async function cleanLane(
  log: EmbeddedLog,
  lane: Lane,
  { policy, pace }: { readonly policy: TopicPolicy; readonly pace: Pace },
): Promise<void> {
  const { retentionMs, retentionBytes } = policy
  const needed = () => Math.min(log.visible([lane.topic]), log.groups.lowest(lane.topic))
  while ((await retain(log, lane, { retentionMs, retentionBytes, before: needed() })) > 0) {
    await pace.rest()
  }
  while (
    policy.compacts &&
    isDirty(log, lane, policy) &&
    (await compact(log, lane, { policy, pace }))
  ) {
    await pace.rest()
  }
  await log.change(() => log.lanes.keep(lane))
}

/** Where much more comes than is compacted, a third of a processor goes into it. */
function isFarBehind({ bytes, cleanBytes }: Lane): boolean {
  return bytes - cleanBytes > 16 * Math.max(dirtyBytes, cleanBytes)
}

/** As the whole topic is gone through, it must be worth it: half of it is old enough, and new. */
function isDirty(log: EmbeddedLog, lane: Lane, { minCompactionLagMs }: TopicPolicy): boolean {
  const least = Math.max(dirtyBytes, lane.cleanBytes)
  const newBytes = lane.bytes - lane.cleanBytes
  return newBytes > least && newBytes * shareBefore(log, lane, minCompactionLagMs) > least
}

/** Which share of the records above the horizon is older than so many ms. */
function shareBefore(log: EmbeddedLog, lane: Lane, lagMs: number): number {
  const time = Date.now() - lagMs
  let [low, high] = [lane.clean, lane.end]
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2)
    const block = blockFrom(log, lane, middle)
    if (block === undefined || firstTimestamp(block) > time) high = middle
    else low = middle
  }
  const [first, last] = [lane.clean, low].map((sequence) => {
    const block = blockFrom(log, lane, sequence)
    return block === undefined ? lane.nextOffset : firstOffset(block)
  })
  return (last! - first!) / Math.max(1, lane.nextOffset - first!)
}

/**
 * Groups that no configuration has go first, then the oldest records of all topics that are not
 * compacted: what a group had yet to read of them, it is told of when it reads on (LOG_GAP).
 */
async function keepBelowCap(log: EmbeddedLog, cleaning: Cleaning, pace: Pace): Promise<void> {
  const { capBytes, say, policyOf } = cleaning
  const isOver = () => usedBytes(log.environment) > capBytes
  if (!isOver()) return
  for (const group of log.groups.expire(true)) {
    say(`the log has reached its cap: the group ${group}, which is not configured, is forgotten`)
  }
  for (const lane of log.lanes.all) {
    await cleanLane(log, lane, { policy: policyOf(lane.topic), pace })
  }
  const lanes = [...log.lanes.all].filter(({ topic }) => !policyOf(topic).compacts)
  while (isOver() && lanes.length > 0) {
    lanes.sort((a, b) => a.floor - b.floor)
    const lane = lanes[0]!
    const before = lane.floor
    const limits = { retentionMs: 0, retentionBytes: 0, before: log.visible([lane.topic]) }
    if ((await retain(log, lane, limits)) === 0) lanes.shift()
    else tellLosers(log, lane, { before, say })
    await pace.rest()
  }
  if (isOver()) {
    say(`the log holds more than its cap of ${capBytes} bytes, and all of it is still needed`)
  }
}

/** Once for each group and topic. */
function tellLosers(
  log: EmbeddedLog,
  { topic, floor }: Lane,
  { before, say }: { readonly before: number } & Pick<Cleaning, 'say'>,
): void {
  for (const { group, sequence } of log.groups.readersOf(topic)) {
    if (sequence < before || sequence >= floor) continue
    say(`the log has reached its cap: ${group} has lost records of ${topic} that it had not read`)
  }
}
