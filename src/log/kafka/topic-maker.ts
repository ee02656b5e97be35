import type { PolicyOf } from '../../core/topic-policy.ts'
import { accessOf } from './access.ts'
import { Cluster } from './cluster.ts'
import type { KafkaOptions } from './options.ts'
import { ensureTopic, policyOf, type TopicPolicy } from './topics.ts'

export interface TopicMaker {
  policyOf(topic: string): TopicPolicy
  /** Makes a topic as whoever writes it first would. */
  create(topic: string): Promise<void>
  close(): Promise<void>
}

export function topicMaker({
  pipeline,
  options,
  keep,
}: {
  readonly pipeline: string
  readonly options: KafkaOptions
  readonly keep: PolicyOf
}): TopicMaker {
  const cluster = new Cluster(accessOf({ pipeline, options }))
  const policy = (topic: string) => policyOf(topic, { options, keep })
  return {
    policyOf: policy,
    create: async (topic) => void (await ensureTopic(cluster, topic, policy(topic))),
    close: () => cluster.close(),
  }
}
