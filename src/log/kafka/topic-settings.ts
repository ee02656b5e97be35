import { ConfigResourceTypes, describeConfigsV4 } from '@platformatic/kafka'
import type { Cluster } from './cluster.ts'
import { faultOf } from './fault.ts'
import type { TopicPolicy } from './topics.ts'

/** Kafka's settings of a topic, by their names, also those that nobody has set. */
export type TopicSettings = ReadonlyMap<string, string>

/** Throws ACCESS_DENIED without the right DescribeConfigs on a topic. */
export async function settingsOf(
  cluster: Cluster,
  topics: readonly string[],
): Promise<ReadonlyMap<string, TopicSettings>> {
  if (topics.length === 0) return new Map()
  const resourceType = ConfigResourceTypes.TOPIC
  const asked = topics.map((resourceName) => ({ resourceType, resourceName }))
  const what = 'Ask for the settings of topics'
  const { results } = await cluster.anywhere(what, describeConfigsV4.api, asked, false, false)
  return new Map(
    results.map(({ errorCode, resourceName, configs }) => {
      if (errorCode !== 0) throw faultOf(errorCode, `Ask for the settings of ${resourceName}`)
      return [resourceName, new Map(configs.map(({ name, value }) => [name, value ?? '']))]
    }),
  )
}

/** In what a topic is other than the configuration says. */
export interface Difference {
  /** `partitions`, `replication`, or the name of a setting. */
  readonly name: string
  readonly is: string
  readonly wanted: string
}

/** What a topic is: its settings, and how it is spread. */
export interface TopicShape {
  readonly partitions: number
  readonly replication: number
  /** Undefined if they may not be known. */
  readonly settings: TopicSettings | undefined
}

/** Settings of which the configuration says nothing are as they should be. */
export function differences(
  { partitions, replication, settings }: TopicShape,
  wanted: TopicPolicy,
): readonly Difference[] {
  const found: Difference[] = []
  const compare = (name: string, is: string, wanted: string) => {
    if (normal(is) !== normal(wanted)) found.push({ name, is, wanted })
  }
  compare('partitions', String(partitions), String(wanted.partitions))
  if (wanted.replication > 0) {
    compare('replication', String(replication), String(wanted.replication))
  }
  for (const [name, value] of Object.entries(wanted.config)) {
    const is = settings?.get(name)
    if (is === undefined) found.push({ name, is: '(unknown)', wanted: value })
    else compare(name, is, value)
  }
  return found
}

/** Lists are sets, and brokers write some of them with spaces. */
function normal(value: string): string {
  return value
    .split(',')
    .map((each) => each.trim())
    .sort()
    .join(',')
}
