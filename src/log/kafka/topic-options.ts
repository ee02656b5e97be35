import { z } from 'zod'
import { formatNames, type TopicFormat } from '../formats/format.ts'
import { topicPattern } from '../topic-pattern.ts'

const moment = z.union([z.iso.datetime({ offset: true }), z.iso.date()])

const place = z
  .string()
  .refine((text) => text === 'earliest' || text === 'latest' || moment.safeParse(text).success, {
    error: 'must be earliest, latest, or a time such as 2026-01-31 or 2026-01-31T08:00:00Z',
  })

const offset = z.int().min(0)

/** A topic that others write. */
const input = z.strictObject({
  key: z
    .enum(['json', 'avro', 'json-schema', 'string', 'int32', 'int64', 'none'])
    .default('json')
    .describe('What keys are: JSON with or without a schema, or one value; or of no use.'),
  'key.name': z
    .string()
    .min(1)
    .default('key')
    .describe('The column that a key becomes which is no object.'),
  value: z
    .enum(['json', 'avro', 'json-schema'])
    .default('json')
    .describe('What values are: JSON with or without a schema, or with a schema in the registry.'),
  holds: z
    .enum(['changes', 'rows'])
    .default('changes')
    .describe("Debezium's changes, or whole rows, of which one without a value is a delete."),
  timestamp: z
    .string()
    .min(1)
    .optional()
    .describe(
      "Where the time stands in the value, as `source.ts_ms`. By default the record's own.",
    ),
  'timestamp.unit': z
    .enum(['s', 'ms', 'us', 'ns'])
    .default('ms')
    .describe('Of a time that is a number, counted from 1970.'),
  begin: z
    .union([place, offset, z.array(offset).min(1)])
    .default('earliest')
    .describe('Where a reader begins: an end, a time, an offset, or one for each partition.'),
})

const format = z.enum(formatNames)

/** What `topics` says of topics on Kafka beside what they keep. */
export const kafkaTopic = z.strictObject({
  partitions: z.int().min(1).max(10_000).optional().describe('Partitions of a topic that is made.'),
  replication: z.int().min(1).max(32).optional().describe('Replicas of a topic that is made.'),
  config: z
    .record(z.string(), z.union([z.string(), z.number(), z.boolean()]))
    .default({})
    .describe("Kafka's own settings of a topic that is made, such as `max.message.bytes`."),
  format: format.optional().describe('How keys and values are written.'),
  'key.format': format.optional().describe('How keys are written, if not as values are.'),
  input: input.optional().describe('Others write the topic; this is how it is read.'),
})

export type KafkaTopic = z.infer<typeof kafkaTopic>
export type InputOptions = z.infer<typeof input>

/** Options by the names of topics, in which `*` stands for any characters. */
export type KafkaTopics = Readonly<Record<string, KafkaTopic>>

/** The first rule that fits the name. */
export function ruleOf(topics: KafkaTopics = {}, topic: string): KafkaTopic | undefined {
  return Object.entries(topics).find(([name]) => topicPattern(name).test(topic))?.[1]
}

export interface FormatRules {
  readonly topics?: KafkaTopics
  readonly format: TopicFormat['value']
}

/**
 * How a topic is written. What is internal, and dead letters, which must take what nothing else
 * does, are JSON whatever a rule says.
 */
export function formatOf(topic: string, { topics = {}, format }: FormatRules): TopicFormat {
  if (topic.startsWith('__millrace.') || topic.endsWith('.dlq')) return asItIs
  const rule = ruleOf(topics, topic)
  const value = rule?.format ?? format
  return { key: rule?.['key.format'] ?? value, value }
}

const asItIs: TopicFormat = { key: 'json', value: 'json' }
