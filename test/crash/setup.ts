import { join } from 'node:path'
import { startKafka } from '../support/servers/kafka.ts'
import { kafkaLog } from './tested-kafka.ts'
import { embeddedLog, type TestedLog } from './tested-log.ts'

/** A log, and the instances of the program that share it. */
export interface Setup {
  /** What stands in the configuration. */
  readonly configuration: { readonly log: object; readonly topics?: object }
  readonly log: TestedLog
  /** Variables of each instance. */
  readonly instances: readonly Readonly<Record<string, string>>[]
  /** Of the topics that sinks read. */
  readonly partitions: number
  readonly streamMs: number
  stop(): Promise<void>
}

export const setups = { embedded, kafka } as const

async function embedded(directory: string): Promise<Setup> {
  const path = join(directory, 'log')
  return {
    configuration: { log: { path } },
    log: embeddedLog(path),
    ...{ instances: [{}], partitions: 1, streamMs: 3_000 },
    stop: async () => {},
  }
}

/**
 * Two instances on one broker, which share the partitions that sinks read. The others come to those
 * of one that was killed after six seconds.
 */
async function kafka(directory: string): Promise<Setup> {
  const { bootstrap, stop } = await startKafka()
  const partitions = 4
  const folders = ['one', 'two'].map((name) => join(directory, name))
  return {
    configuration: {
      // biome-ignore lint/suspicious/noTemplateCurlyInString: The configuration fills it in.
      log: { type: 'kafka', brokers: bootstrap, path: '${INSTANCE_PATH}', sessionTimeoutMs: 6_000 },
      topics: { 'shop.orders': { partitions }, '__millrace.shop.table.*': { partitions } },
    },
    log: kafkaLog(bootstrap, folders[0]!),
    instances: folders.map((folder) => ({ INSTANCE_PATH: folder })),
    ...{ partitions, streamMs: 9_000, stop },
  }
}
