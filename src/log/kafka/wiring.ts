import type { Access } from './cluster.ts'
import type { Formats } from './formats.ts'
import type { KafkaOptions } from './options.ts'
import type { ProducerOptions } from './producer.ts'
import type { Schemas } from './schemas.ts'
import type { TopicPolicy } from './topics.ts'

/** What the parts of one log on Kafka have in common. */
export interface KafkaWiring {
  readonly access: Access
  readonly options: KafkaOptions
  readonly schemas: Schemas
  readonly formats: Formats
  policyOf(topic: string): TopicPolicy
  /** A producer of this name: transactional unless the options say otherwise. */
  producer(name: string): ProducerOptions
  /** The topics that were read or written, for `describe`. */
  readonly topics: Set<string>
}
