import { Kafka, logLevel } from 'kafkajs'
import { readBatches } from '../../../../src/log/kafka/batch-reader.ts'
import { Cluster } from '../../../../src/log/kafka/cluster.ts'
import { fetchFrom } from '../../../../src/log/kafka/fetch.ts'

/** What an independent client with read_committed finds in a topic of numbers. */
export interface Count {
  readonly records: number
  readonly lost: number
  readonly duplicated: number
}

/** Counts with kafkajs, up to the end of the topic; nobody may be writing. */
export async function count(bootstrap: string, topic: string): Promise<Count> {
  const brokers = bootstrap.split(',')
  const kafka = new Kafka({ clientId: 'count', brokers, logLevel: logLevel.NOTHING })
  const ends = await endsOf(bootstrap, topic)
  const consumer = kafka.consumer({ groupId: `count-${topic}-${Date.now()}` })
  const seen = new Map<number, number>()
  const at = new Map<number, number>()
  await consumer.connect()
  await consumer.subscribe({ topic, fromBeginning: true })
  const done = Promise.withResolvers<void>()
  await consumer.run({
    eachBatch: async ({ batch, resolveOffset }) => {
      for (const { value, offset } of batch.messages) {
        const { n } = JSON.parse(value!.toString()) as { n: number }
        seen.set(n, (seen.get(n) ?? 0) + 1)
        resolveOffset(offset)
      }
      at.set(batch.partition, Number(batch.lastOffset()) + 1)
      if (ends.every((end, i) => end === 0 || (at.get(i) ?? 0) >= end)) done.resolve()
    },
  })
  await done.promise
  await consumer.disconnect()
  const largest = [...seen.keys()].reduce((a, b) => Math.max(a, b), -1)
  const copies = [...seen.values()].reduce((sum, times) => sum + times - 1, 0)
  return { records: seen.size, lost: largest + 1 - seen.size, duplicated: copies }
}

/** Offsets behind the last records: behind them there are markers that no client shows. */
async function endsOf(bootstrap: string, topic: string): Promise<readonly number[]> {
  const { endOfRecords } = await import('../../../../src/log/kafka/scan-partition.ts')
  return using(bootstrap, async (cluster) => {
    const shape = await cluster.topic(topic)
    return Promise.all(shape!.leaders.map((_, i) => endOfRecords(cluster, topic, i)))
  })
}

/** How many transactions were aborted that had written to a topic. */
export async function aborted(bootstrap: string, topic: string): Promise<number> {
  return using(bootstrap, async (cluster) => {
    const shape = (await cluster.topic(topic))!
    const found = new Set<string>()
    const ends = await cluster.offsets(topic, 'stable')
    for (const partition of shape.leaders.keys()) {
      const address = await cluster.leader(topic, partition)
      for (let offset = 0; offset < Number(ends[partition]); ) {
        const asked = [{ topicId: shape.id, partition, offset }]
        const limits = { waitMs: 0, bytes: 8_000_000, partitionBytes: 8_000_000 }
        const [answer] = await fetchFrom(cluster, address, asked, limits)
        for (const { producerId, from } of answer!.aborted)
          found.add(`${producerId}/${partition}/${from}`)
        for (const { lastOffset } of readBatches(answer!.bytes)) offset = lastOffset + 1
      }
    }
    return found.size
  })
}

async function using<T>(bootstrap: string, ask: (cluster: Cluster) => Promise<T>): Promise<T> {
  const brokers = bootstrap.split(',')
  const cluster = new Cluster({ brokers, clientId: 'count', requestTimeoutMs: 20_000 })
  try {
    return await ask(cluster)
  } finally {
    await cluster.close()
  }
}
