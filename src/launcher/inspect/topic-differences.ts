import type { Inspection, TopicFacts } from '../../log/inspection.ts'
import type { Config } from '../config/config.ts'
import { keptOnKafka, type Planned, topicsOf } from '../run/kafka-topics.ts'

/** What of a topic is other than configured, as `partitions is 1, not 3`. */
export interface TopicDifferences {
  readonly topic: string
  readonly differences: readonly string[]
}

/** Compares topics on Kafka with what the configuration would make of them. */
export async function topicDifferences(
  config: Config,
  planned: Planned,
  log: Inspection,
): Promise<readonly TopicDifferences[]> {
  const { kafka } = config.log
  if (kafka === undefined) return []
  const { policyOf } = await import('../../log/kafka/topics.ts')
  const { differences } = await import('../../log/kafka/topic-settings.ts')
  const keep = keptOnKafka(config, planned.topology)
  const { inputs = [] } = config // Those that others make are as they want them.
  const names = topicsOf(config, planned).filter((topic) => !inputs.includes(topic))
  const known = await log.topics(names)
  return known.map((facts) => {
    const wanted = policyOf(facts.topic, { options: kafka, keep })
    const found = differences(shapeOf(facts), wanted)
    return {
      topic: facts.topic,
      differences: found.map(({ name, is, wanted }) => `${name} is ${is}, not ${wanted}`),
    }
  })
}

function shapeOf({ partitions, replication = 0, settings }: TopicFacts) {
  const given = settings === undefined ? undefined : new Map(Object.entries(settings))
  return { partitions: partitions.length, replication, settings: given }
}
