import { rmSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { Kafka, logLevel } from 'kafkajs'
import { decodePosition } from '../../connectors/postgres/position.ts'
import { Cluster } from '../../src/log/kafka/cluster.ts'
import { readPosition } from '../../src/log/kafka/position-record.ts'
import { lettersIn, type TestedLog } from './tested-log.ts'

/**
 * The log on Kafka. `directory` is that of the instance whose machine is another one in the next
 * life; the others keep what they had of the last one's topics.
 */
export function kafkaLog(bootstrap: string, directory: string): TestedLog {
  const brokers = bootstrap.split(',')
  const ask = async <T>(question: (cluster: Cluster) => Promise<T>): Promise<T> => {
    const cluster = new Cluster({ brokers, clientId: 'crash', requestTimeoutMs: 10_000 })
    try {
      return await question(cluster)
    } finally {
      await cluster.close()
    }
  }
  return {
    position: (connector) =>
      ask(async (cluster) => {
        const position = await readPosition(cluster, `shop.${connector}`)
        return position === undefined ? undefined : decodePosition(position)
      }),
    async empty() {
      await deleteTopics(brokers)
      rmSync(directory, { recursive: true, force: true })
    },
    faults: () =>
      ask(async (cluster) => {
        const topics = (await cluster.refresh(null)).filter((topic) => topic.endsWith('.dlq'))
        const counts = topics.map(async (topic) => {
          const ends = await cluster.offsets(topic, 'stable')
          return [topic, ends.reduce((sum, end) => sum + end, 0n)] as const
        })
        return lettersIn(await Promise.all(counts))
      }),
  }
}

/** As with an independent client; not those of Kafka itself. */
async function deleteTopics(brokers: readonly string[]): Promise<void> {
  const kafka = new Kafka({ clientId: 'crash', brokers: [...brokers], logLevel: logLevel.NOTHING })
  const admin = kafka.admin()
  await admin.connect()
  try {
    for (;;) {
      const topics = (await admin.listTopics()).filter((topic) => !topic.startsWith('__consumer'))
      const ours = topics.filter((topic) => !topic.startsWith('__transaction'))
      if (ours.length === 0) return
      await admin.deleteTopics({ topics: ours }).catch(() => {}) // Some are going already.
      await sleep(200)
    }
  } finally {
    await admin.disconnect()
  }
}
