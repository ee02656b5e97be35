import { z } from 'zod'
import type { PolicyOf, TopicPolicy } from '../../core/topic-policy.ts'
import { topicPattern } from '../../log/topic-pattern.ts'
import { isTicksTopic } from '../../streams/tick.ts'

/** What `topics` in the configuration says of the topics with a name. As Kafka. */
export const topicOptions = z.strictObject({
  'cleanup.policy': z
    .enum(['compact', 'delete', 'compact,delete'])
    .optional()
    .describe('Keep the newest record of each key, or remove what is old.'),
  'retention.ms': z
    .int()
    .min(-1)
    .optional()
    .describe('Under `delete`: how old records become, in ms; -1: any age.'),
  'retention.bytes': z
    .int()
    .min(-1)
    .optional()
    .describe('Under `delete`: how large the topic becomes; -1: any size.'),
  'delete.retention.ms': z
    .int()
    .min(0)
    .optional()
    .describe('Under `compact`: how long deletes are kept.'),
  'min.compaction.lag.ms': z
    .int()
    .min(0)
    .optional()
    .describe('Under `compact`: how long every record is kept.'),
})

export type TopicOptions = z.infer<typeof topicOptions>

/** Options by the names of topics, in which `*` stands for any characters. */
export type TopicRules = Readonly<Record<string, TopicOptions>>

type Complete = { readonly [K in keyof TopicOptions]-?: NonNullable<TopicOptions[K]> }

const hourMs = 3600_000
const dayMs = 24 * hourMs

const compacted: Complete = {
  'cleanup.policy': 'compact',
  'retention.ms': -1,
  'retention.bytes': -1,
  'delete.retention.ms': 7 * dayMs,
  'min.compaction.lag.ms': hourMs,
}

const events: Complete = {
  ...compacted,
  'cleanup.policy': 'delete',
  'retention.ms': 7 * dayMs,
}

const letters: Complete = { ...events, 'retention.ms': 365 * dayMs }

/** The topics of a pipeline that hold rows: tables of connectors, and views. */
export interface TableTopics {
  readonly prefixes: readonly string[]
  readonly views: readonly string[]
}

/**
 * What each topic keeps: tables, views and what is internal one record a key; dead letters a year;
 * all else, which is events, a week, as also ticks, which have no key to be compacted by. The first
 * rule that fits a name changes what it mentions.
 */
export function policiesOf(rules: TopicRules, tables: TableTopics): PolicyOf {
  const patterns = Object.entries(rules).map(([name, options]) => ({
    pattern: topicPattern(name),
    options,
  }))
  return (topic) => {
    const rule = patterns.find(({ pattern }) => pattern.test(topic))
    return policyOf({ ...defaultsOf(topic, tables), ...(rule?.options as Partial<Complete>) })
  }
}

function defaultsOf(topic: string, { prefixes, views }: TableTopics): Complete {
  if (topic.endsWith('.dlq')) return letters
  if (views.includes(topic)) return compacted
  if (isTicksTopic(topic)) return events
  if (topic.startsWith('__millrace.')) return compacted
  const isTable = prefixes.some((prefix) => {
    return topic.startsWith(`${prefix}.`) && topic.slice(prefix.length + 1).includes('.')
  })
  return isTable ? compacted : events
}

function policyOf(options: Complete): TopicPolicy {
  const deletes = options['cleanup.policy'] !== 'compact'
  const limit = (value: number) => (deletes && value >= 0 ? value : Number.POSITIVE_INFINITY)
  return {
    compacts: options['cleanup.policy'] !== 'delete',
    retentionMs: limit(options['retention.ms']),
    retentionBytes: limit(options['retention.bytes']),
    deleteRetentionMs: options['delete.retention.ms'],
    minCompactionLagMs: options['min.compaction.lag.ms'],
  }
}
