import { randomUUID } from 'node:crypto'
import { Kafka, logLevel, type Message, Partitioners } from 'kafkajs'

/** What somebody else's client reads. */
export interface ForeignRecord {
  readonly key: Buffer | null
  readonly value: Buffer | null
  readonly timestamp: string
  readonly partition: number
  readonly headers: Readonly<Record<string, unknown>> | undefined
}

/** Another program's client on the same cluster. */
export class ForeignClient {
  readonly kafka: Kafka

  constructor(bootstrap: string) {
    const brokers = bootstrap.split(',')
    this.kafka = new Kafka({ clientId: 'kafkajs', brokers, logLevel: logLevel.NOTHING })
  }

  async createTopic(topic: string, numPartitions = 1): Promise<void> {
    const admin = this.kafka.admin()
    await admin.connect()
    await admin.createTopics({ topics: [{ topic, numPartitions }] })
    await admin.disconnect()
  }

  async send(topic: string, messages: readonly Message[]): Promise<void> {
    const createPartitioner = Partitioners.DefaultPartitioner
    const producer = this.kafka.producer({ createPartitioner })
    await producer.connect()
    await producer.send({ topic, messages: [...messages] })
    await producer.disconnect()
  }

  /** How many offsets a topic has, markers of transactions among them. */
  async count(topic: string): Promise<number> {
    const admin = this.kafka.admin()
    await admin.connect()
    const offsets = await admin.fetchTopicOffsets(topic)
    await admin.disconnect()
    return offsets.reduce((sum, { high }) => sum + Number(high), 0)
  }

  /** The first records of a topic, of transactions only what was committed. */
  async read(topic: string, count: number): Promise<readonly ForeignRecord[]> {
    if (count === 0) return []
    const consumer = this.kafka.consumer({ groupId: `foreign-${randomUUID()}` })
    await consumer.connect()
    await consumer.subscribe({ topic, fromBeginning: true })
    const found: ForeignRecord[] = []
    await new Promise<void>((resolve) => {
      void consumer.run({
        eachMessage: async ({ partition, message: { key, value, timestamp, headers } }) => {
          found.push({ key, value, timestamp, partition, headers })
          if (found.length >= count) resolve()
        },
      })
    })
    await consumer.disconnect()
    return found
  }
}
