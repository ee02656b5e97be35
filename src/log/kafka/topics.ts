import { setTimeout as sleep } from 'node:timers/promises'
import { createTopicsV7 } from '@platformatic/kafka'
import { MillraceError } from '../../core/errors.ts'
import type { TopicPolicy as Kept, PolicyOf } from '../../core/topic-policy.ts'
import type { Cluster, Topic } from './cluster.ts'
import { isFault, KafkaFault } from './fault.ts'
import { isHopsTopic } from './hops.ts'
import type { KafkaOptions } from './options.ts'
import { ruleOf } from './topic-options.ts'

/** How a topic is made. */
export interface TopicPolicy {
  readonly partitions: number
  /** -1: as the cluster sees fit. */
  readonly replication: number
  readonly config: Readonly<Record<string, string>>
  /** Others make it. */
  readonly isForeign?: boolean
}

/** Internal topics hold few keys that change often: compacted soon, or a start reads much. */
const internal = {
  'cleanup.policy': 'compact',
  'segment.bytes': String(16 * 1024 * 1024),
  'min.cleanable.dirty.ratio': '0.1',
}

/** What tasks tell each other; who has read it has it deleted. */
const passing = { 'cleanup.policy': 'delete', 'retention.ms': '-1', 'retention.bytes': '-1' }

export interface Policies {
  readonly options: KafkaOptions
  /** What the topics that are not internal keep. */
  readonly keep: PolicyOf
}

/** Decides by its name how a topic is made. */
export function policyOf(topic: string, { options, keep }: Policies): TopicPolicy {
  const given = ruleOf(options.topics, topic)
  const isInternal = topic.startsWith('__millrace.')
  const config: Record<string, string> = { ...configOf(topic, keep) }
  for (const [name, value] of Object.entries(given?.config ?? {})) config[name] = String(value)
  const isSingle = isInternal || topic.endsWith('.dlq')
  return {
    partitions: given?.partitions ?? (isSingle ? 1 : options.partitions),
    replication: given?.replication ?? options.replication ?? -1,
    config,
    isForeign: given?.input !== undefined,
  }
}

function configOf(topic: string, keep: PolicyOf): Readonly<Record<string, string>> {
  if (isHopsTopic(topic)) return passing
  const isInternal = topic.startsWith('__millrace.') && !topic.endsWith('.ticks')
  return isInternal ? internal : keptBy(keep(topic))
}

function keptBy(policy: Kept): Record<string, string> {
  const { compacts, retentionMs, retentionBytes, deleteRetentionMs, minCompactionLagMs } = policy
  const limit = (value: number) => String(value === Number.POSITIVE_INFINITY ? -1 : value)
  const lag = { 'min.compaction.lag.ms': String(minCompactionLagMs) }
  const limits = {
    'retention.ms': limit(retentionMs),
    'retention.bytes': limit(retentionBytes),
  }
  if (!compacts) return { 'cleanup.policy': 'delete', ...limits }
  const deletes = { 'delete.retention.ms': String(Math.min(deleteRetentionMs, longestMs)), ...lag }
  const isLimited = [retentionMs, retentionBytes].some((each) => each < Number.POSITIVE_INFINITY)
  if (!isLimited) return { 'cleanup.policy': 'compact', ...deletes }
  return { 'cleanup.policy': 'compact,delete', ...deletes, ...limits }
}

/** What Kafka takes for ever, where it takes no -1. */
const longestMs = 2 ** 53 - 1

/**
 * Gives the topic, and makes it if it does not exist. One that exists is left as it is. Throws
 * SERVER_ERROR if one is missing that others make.
 */
export async function ensureTopic(
  cluster: Cluster,
  name: string,
  { partitions, replication, config, isForeign = false }: TopicPolicy,
): Promise<Topic> {
  const known = await cluster.topic(name)
  if (known?.leaders.every((leader) => leader >= 0)) return known
  if (known === undefined && isForeign) {
    throw new MillraceError(
      'SERVER_ERROR',
      `The cluster has no topic ${name}: others are to make it.`,
    )
  }
  const configs = Object.entries(config).map(([name, value]) => ({ name, value }))
  const topic = { name, numPartitions: partitions, replicationFactor: replication, configs }
  const what = `Create the topic ${name}`
  try {
    if (known === undefined) {
      await cluster.controlled(
        what,
        createTopicsV7.api,
        [{ ...topic, assignments: [] }],
        15_000,
        false,
      )
    }
  } catch (error) {
    if (!isFault(error, 'TOPIC_ALREADY_EXISTS')) throw error
  }
  return untilLed(cluster, name, what)
}

/** A topic is known some time before each of its partitions has a leader. */
async function untilLed(cluster: Cluster, name: string, what: string): Promise<Topic> {
  const deadline = performance.now() + 30_000
  for (;;) {
    await cluster.refresh([name])
    const found = await cluster.topic(name)
    if (found?.leaders.every((leader) => leader >= 0)) return found
    if (performance.now() > deadline) throw new KafkaFault('LEADER_NOT_AVAILABLE', what)
    await sleep(20)
  }
}
