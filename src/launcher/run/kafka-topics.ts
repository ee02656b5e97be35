import { keepAll, type PolicyOf } from '../../core/topic-policy.ts'
import type { StreamTopology } from '../../streams/stream-topology.ts'
import type { Topology } from '../../streams/topology.ts'
import type { Config } from '../config/config.ts'
import { policyOfConfig, prefixesOf } from './cleaning.ts'

export interface Planned {
  readonly topology: Topology
  readonly streams: readonly StreamTopology[]
}

/**
 * As on the embedded log, except that connectors' topics are kept whole unless a rule says
 * otherwise: a broker that compacts knows nothing of columns that a later record leaves out, and
 * takes no record without a key.
 */
export function keptOnKafka(config: Config, topology: Topology): PolicyOf {
  const given = policyOfConfig(config, topology)
  const byDefault = policyOfConfig({ ...config, topicRules: {} }, topology)
  const views = new Set(topology.views.map(({ topic }) => topic))
  return (topic) => {
    const policy = given(topic)
    const isRuled = JSON.stringify(policy) !== JSON.stringify(byDefault(topic))
    return isRuled || views.has(topic) || !policy.compacts ? policy : keepAll
  }
}

/** The topics that a pipeline reads and writes, as far as its definitions tell. */
export function topicsOf(config: Config, { topology, streams }: Planned): readonly string[] {
  const written = [
    ...(config.topics ?? []),
    ...topology.views.map(({ topic }) => topic),
    ...streams.flatMap(({ outputs }) => outputs),
  ]
  const read = [
    ...topology.topics,
    ...streams.flatMap(({ topics }) => [...topics.keys()]),
    ...config.sinks.flatMap(({ from }) => from.map(({ topic }) => topic)),
  ]
  return [...new Set([...written, ...read])].sort()
}

/** Tells the topics of a pipeline from those of others on the same cluster. */
export function ownTopics(config: Config, planned: Planned): (topic: string) => boolean {
  const known = new Set(topicsOf(config, planned))
  const heads = [
    ...prefixesOf(config).map((prefix) => `${prefix}.`),
    `${config.name}.`,
    `__millrace.${config.name}.`,
  ]
  return (topic) => {
    return known.has(topic.replace(/\.dlq$/, '')) || heads.some((head) => topic.startsWith(head))
  }
}
