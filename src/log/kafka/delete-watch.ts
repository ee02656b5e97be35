/*
 * A broker that compacts a topic drops a delete some time after it has come to it: not before
 * `delete.retention.ms` have passed. A reader that was at the topic's end at some moment and reads
 * on within that time has missed none; one that begins has so long to come to the end. A reader
 * that is later has missed none only if no offset is missing of what it has to read.
 */
import { MillraceError } from '../../core/errors.ts'
import { readBatches } from './batch-reader.ts'
import type { Cluster } from './cluster.ts'
import { isFault } from './fault.ts'
import { fetchFrom } from './fetch.ts'
import type { Lane } from './lane.ts'
import { policyFrom } from './topic-facts.ts'
import { settingsOf } from './topic-settings.ts'

/** Brokers look so seldom for something to compact, at the most. */
const leastMs = 15_000
/** A reader to which nothing comes says that it is there still, after this share of the time. */
const share = 10

interface Watched {
  readonly lane: Lane
  readonly keptMs: number
  /** When nothing was left to read; at first, when reading began. In ms since 1970. */
  at: number
  /** What the last position said of that. */
  told: number
}

/** Watches that no delete is dropped before a reader has come to it. */
export class DeleteWatch {
  readonly #watched = new Map<Lane, Watched>()

  private constructor(watched: readonly Watched[]) {
    for (const each of watched) this.#watched.set(each.lane, each)
  }

  /** Lanes with what their position says: when nothing was left to read. */
  static async open(
    cluster: Cluster,
    lanes: readonly (readonly [Lane, at: number | undefined])[],
  ): Promise<DeleteWatch> {
    const kept = await deletesKept(cluster, [...new Set(lanes.map(([{ topic }]) => topic))])
    const watched: Watched[] = []
    for (const [lane, since = Date.now()] of lanes) {
      const keptMs = kept.get(lane.topic)
      if (keptMs === undefined) continue
      const isLate = Date.now() - since > keptMs
      // What is behind a position may be dropped deletes, and nothing else.
      const isMissed = isLate && lane.beganBehind && !(await isDense(cluster, lane))
      watched.push({ lane, keptMs, at: isLate && !isMissed ? Date.now() : since, told: since })
    }
    return new DeleteWatch(watched)
  }

  /** Throws LOG_GAP if deletes may be gone that were not read. */
  check(now = Date.now()): void {
    for (const watched of this.#watched.values()) {
      const { lane, keptMs, at } = watched
      if (lane.isAtEnd) watched.at = now
      else if (now - at > keptMs) throw gap(watched, now)
    }
  }

  /** Whether a position is due although nothing came. */
  isDue(now = Date.now()): boolean {
    for (const { lane, keptMs, told } of this.#watched.values()) {
      if (lane.isAtEnd && now - told > keptMs / share) return true
    }
    return false
  }

  /** For the position: when nothing was left to read in a lane. */
  tell(lane: Lane): number | undefined {
    const watched = this.#watched.get(lane)
    if (watched === undefined) return undefined
    watched.told = watched.at
    return watched.at
  }
}

/** By topic, in ms; those that are not compacted are not in it. */
type DeletesKept = ReadonlyMap<string, number>

/** How long compacted topics keep deletes; none where the settings may not be seen. */
async function deletesKept(cluster: Cluster, topics: readonly string[]): Promise<DeletesKept> {
  try {
    const kept = new Map<string, number>()
    for (const [topic, settings] of await settingsOf(cluster, topics)) {
      const { compacts, deleteRetentionMs } = policyFrom(settings)
      if (compacts) kept.set(topic, Math.max(leastMs, deleteRetentionMs))
    }
    return kept
  } catch (error) {
    if (isFault(error, 'TOPIC_AUTHORIZATION_FAILED')) return new Map()
    throw error
  }
}

/** Whether all that was ever written from the lane's beginning on is there. */
async function isDense(cluster: Cluster, lane: Lane): Promise<boolean> {
  const { topicId, topic, partition, stableAtStart: end } = lane
  for (let at = lane.fetchAt; at < end; ) {
    const asked = [{ topicId, partition, offset: at }]
    const [found] = await fetchFrom(cluster, await cluster.leader(topic, partition), asked, limits)
    if (found!.code !== 0) return true // Reading itself will say what is wrong.
    const from = at
    for (const { firstOffset, lastOffset, count } of readBatches(found!.bytes)) {
      if (firstOffset > at || count !== lastOffset - firstOffset + 1) return false
      at = lastOffset + 1
    }
    if (at === from) return false
  }
  return true
}

const limits = { waitMs: 0, bytes: 4 * 1024 * 1024, partitionBytes: 4 * 1024 * 1024 }

function gap({ lane, keptMs, at }: Watched, now: number): MillraceError {
  const { topic, partition } = lane
  const seconds = (ms: number) => `${Math.round(ms / 1000)} s`
  const facts = `its deletes are kept for ${seconds(keptMs)} (delete.retention.ms)`
  const message = `${topic}/${partition} was last read to its end ${seconds(now - at)} ago, and ${facts}: some may be gone.`
  return new MillraceError('LOG_GAP', message)
}
