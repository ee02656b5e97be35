import { describeLogDirsV4 } from '@platformatic/kafka'
import type { TopicPolicy } from '../../core/topic-policy.ts'
import type { TopicFacts } from '../inspection.ts'
import type { Cluster } from './cluster.ts'
import { isFault } from './fault.ts'
import { lastRecord } from './scan-partition.ts'
import { settingsOf, type TopicSettings } from './topic-settings.ts'

/** What is known of topics. What may not be asked is left out. */
export async function topicFacts(
  cluster: Cluster,
  names: readonly string[],
): Promise<readonly TopicFacts[]> {
  await cluster.refresh(names)
  const facts: TopicFacts[] = []
  const existing: string[] = []
  for (const name of names) if ((await cluster.topic(name)) !== undefined) existing.push(name)
  const settings = await unlessDenied(settingsOf(cluster, existing))
  const bytes = await unlessDenied(bytesOf(cluster, existing))
  for (const topic of existing) {
    const set = settings?.get(topic)
    facts.push({
      topic,
      ...(await spanOf(cluster, topic)),
      bytes: bytes === undefined ? null : (bytes.get(topic) ?? 0),
      ...{ floor: 0, compactedTo: 0, writers: [] },
      replication: (await cluster.topic(topic))!.replicas,
      ...(set && { policy: policyFrom(set), settings: Object.fromEntries(set) }),
    })
  }
  return facts
}

async function spanOf(
  cluster: Cluster,
  topic: string,
): Promise<Pick<TopicFacts, 'partitions' | 'newest'>> {
  const partitions: { start: number; end: number }[] = []
  let newest = 0
  for (const [partition, first] of (await cluster.offsets(topic, 'start')).entries()) {
    const last = await lastRecord(cluster, topic, partition)
    const start = Number(first)
    partitions.push({ start, end: last === undefined ? start : last.offset + 1 })
    newest = Math.max(newest, last?.timestamp ?? 0)
  }
  return { partitions, newest }
}

/** What one copy of each topic takes: that of the leader. */
async function bytesOf(
  cluster: Cluster,
  topics: readonly string[],
): Promise<ReadonlyMap<string, number>> {
  const sizes = new Map<string, number>()
  for (const [node, address] of await cluster.nodes()) {
    const led: { name: string; partitions: number[] }[] = []
    for (const name of topics) {
      const leaders = (await cluster.topic(name))?.leaders ?? []
      const partitions = [...leaders.keys()].filter((each) => leaders[each] === node)
      if (partitions.length > 0) led.push({ name, partitions })
    }
    if (led.length === 0) continue
    const what = 'Ask for the sizes of topics'
    const { results } = await cluster.call(address, what, describeLogDirsV4.api, led)
    for (const { name, partitions } of results.flatMap(({ topics }) => topics)) {
      const size = partitions.reduce((sum, { partitionSize }) => sum + Number(partitionSize), 0)
      sizes.set(name, (sizes.get(name) ?? 0) + size)
    }
  }
  return sizes
}

async function unlessDenied<T>(asked: Promise<T>): Promise<T | undefined> {
  try {
    return await asked
  } catch (error) {
    const denied = ['TOPIC_AUTHORIZATION_FAILED', 'CLUSTER_AUTHORIZATION_FAILED']
    if (isFault(error, ...denied)) return undefined
    throw error
  }
}

/** What a topic keeps, as its settings say. */
export function policyFrom(settings: TopicSettings): TopicPolicy {
  const policy = settings.get('cleanup.policy') ?? 'delete'
  const deletes = policy.includes('delete')
  const limit = (name: string) => {
    const value = Number(settings.get(name) ?? -1)
    return deletes && value >= 0 ? value : Number.POSITIVE_INFINITY
  }
  return {
    compacts: policy.includes('compact'),
    retentionMs: limit('retention.ms'),
    retentionBytes: limit('retention.bytes'),
    deleteRetentionMs: Number(settings.get('delete.retention.ms') ?? 0),
    minCompactionLagMs: Number(settings.get('min.compaction.lag.ms') ?? 0),
  }
}
