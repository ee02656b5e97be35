import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Admin, Producer, stringSerializers } from '@platformatic/kafka'
import type { Position } from '../../../src/core/source.ts'
import { openKafkaLog } from '../../../src/log/kafka/kafka-log.ts'
import { kafkaOptions } from '../../../src/log/kafka/options.ts'
import { cpuMicros } from '../measure.ts'
import { finish } from './finish.ts'
import { prepare } from './kafka-records.ts'

/** Prepared records to one partition, in transactions of 5,000: ours, or the bare client's. */
const { bootstrap, topic, records: count, mode } = JSON.parse(process.argv[2]!)
const perTransaction = 5_000
const records = prepare(topic, count)
const write = mode === 'bare' ? await bare() : await ours()
await write(0) // Makes topics and connections.
const cpu = process.cpuUsage()
const start = performance.now()
for (let at = perTransaction; at < count; at += perTransaction) await write(at)
const done = count - perTransaction
const seconds = (performance.now() - start) / 1000
finish({ perSecond: done / seconds, cpuUsPerRecord: cpuMicros(cpu) / done })

async function ours(): Promise<(at: number) => Promise<void>> {
  const options = kafkaOptions.parse({ type: 'kafka', brokers: bootstrap })
  const path = mkdtempSync(join(tmpdir(), 'millrace-bench-'))
  const log = openKafkaLog({ pipeline: 'bench', path, options })
  const writer = log.writer(`${topic}.w`)
  await writer.resume('s')
  return async (at) => {
    const some = records.slice(at, at + perTransaction)
    await writer.write({ records: some, position: '' as Position, complete: true })
    await writer.commit({ source: 's', position: String(at) as Position, timestamp: 0 })
  }
}

/** As its rules want it: one partition a call, fenced at the start, a short delay between tries. */
async function bare(): Promise<(at: number) => Promise<void>> {
  const admin = new Admin({ clientId: 'bench', bootstrapBrokers: [bootstrap] })
  await admin.createTopics({ topics: [topic], partitions: 1, replicas: 1 })
  await admin.close()
  const producer = new Producer<Buffer, Buffer, string, string>({
    clientId: 'bench',
    bootstrapBrokers: [bootstrap],
    transactionalId: `${topic}.bare`,
    idempotent: true,
    ...{ producerId: -1n, producerEpoch: -1, timeout: 30_000, retries: 50, retryDelay: 10 },
    serializers: {
      ...{ key: (value) => value, value: (value) => value },
      ...{ headerKey: stringSerializers.headerKey, headerValue: stringSerializers.headerValue },
    },
  })
  return async (at) => {
    const transaction = await producer.beginTransaction()
    const messages = records.slice(at, at + perTransaction).map((record) => ({
      ...{ topic, partition: 0, key: record.key as Buffer, value: record.value as Buffer },
      timestamp: BigInt(record.timestamp),
      headers: {
        'millrace.version': String(record.version),
        ...(record.ordinal === 0 ? {} : { 'millrace.ordinal': String(record.ordinal) }),
        ...(record.endsCommit ? { 'millrace.end': '1' } : {}),
      },
    }))
    // Together they were larger than a batch may be.
    await transaction.send({ messages: messages.slice(0, perTransaction / 2), acks: -1 })
    await transaction.send({ messages: messages.slice(perTransaction / 2), acks: -1 })
    await transaction.commit()
  }
}
