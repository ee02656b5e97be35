import type { Log } from '../../../src/core/log.ts'

/** Where a benchmark's topics are. */
export interface LogPlace {
  /** Directory of the embedded log, or of what tasks keep beside Kafka. */
  readonly path: string
  /** Of Kafka; without it the log is embedded. */
  readonly bootstrap?: string | undefined
}

/** Opens the log, and loads the code of that one alone: it counts as memory. */
export async function openBenchLog({ path, bootstrap }: LogPlace): Promise<Log> {
  if (bootstrap === undefined) {
    const { openEmbeddedLog } = await import('../../../src/log/embedded.ts')
    return openEmbeddedLog({ path })
  }
  const { openKafkaLog } = await import('../../../src/log/kafka/kafka-log.ts')
  const { kafkaOptions } = await import('../../../src/log/kafka/options.ts')
  const options = kafkaOptions.parse({ type: 'kafka', brokers: bootstrap })
  return openKafkaLog({ pipeline: 'bench', path, options })
}
