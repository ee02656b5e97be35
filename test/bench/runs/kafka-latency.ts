import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Admin, Consumer, MessagesStreamModes, Producer } from '@platformatic/kafka'
import type { NewRecord } from '../../../src/core/record.ts'
import type { Position } from '../../../src/core/source.ts'
import { openKafkaLog } from '../../../src/log/kafka/kafka-log.ts'
import { kafkaOptions } from '../../../src/log/kafka/options.ts'
import { cpuMicros } from '../measure.ts'
import { finish } from './finish.ts'

/**
 * Commits on a fixed schedule, an open loop: what is due goes out in one transaction, `everyMs`
 * after the one before began, or as soon as that has ended. From when each was due to when a reader
 * with read_committed has it: ours, or the bare client's.
 */
const { bootstrap, topic, records: count, perSecond, everyMs, mode } = JSON.parse(process.argv[2]!)

interface Side {
  /** Commits the records of these numbers. */
  write(from: number, to: number): Promise<void>
  /** The numbers as they become visible. */
  read(): AsyncIterable<readonly number[]>
}

const { write, read } = mode === 'bare' ? await bare() : await ours()
const latencies: number[] = []
let transactions = 0
await write(0, 1)
const cpu = process.cpuUsage()
const start = performance.now() + 3_000 // A consumer takes its time to join a group.
const dueAt = (i: number) => start + (i * 1_000) / perSecond
await Promise.all([writeAll(), readAll()])
latencies.sort((a, b) => a - b)
const at = (share: number) => latencies[Math.floor(latencies.length * share)]!
const intervalMs = (count / perSecond / transactions) * 1_000
finish({ p50Ms: at(0.5), p99Ms: at(0.99), intervalMs, cpuUsPerRecord: cpuMicros(cpu) / count })

async function writeAll(): Promise<void> {
  for (let next = 1; next <= count; ) {
    const began = performance.now()
    const due = Math.min(count, Math.floor(((began - start) * perSecond) / 1_000))
    if (due < next) {
      await sleep(1)
      continue
    }
    await write(next, due + 1)
    transactions++
    next = due + 1
    const restMs = began + everyMs - performance.now()
    if (restMs > 0) await sleep(restMs)
  }
}

async function readAll(): Promise<void> {
  let seen = 0
  for await (const numbers of read()) {
    const now = performance.now()
    for (const number of numbers) if (number > 0) latencies.push(now - dueAt(number))
    seen += numbers.length
    if (seen > count) return
  }
}

function textOf(number: number): Buffer {
  return Buffer.from(`{"n":${number},"p":"${'x'.repeat(280)}"}`)
}

async function ours(): Promise<Side> {
  const options = kafkaOptions.parse({ type: 'kafka', brokers: bootstrap })
  const path = mkdtempSync(join(tmpdir(), 'millrace-bench-'))
  const log = openKafkaLog({ pipeline: 'bench', path, options: options })
  const writer = log.writer(`${topic}.w`)
  await writer.resume('s')
  return {
    async write(from, to) {
      const records = Array.from({ length: to - from }, (_, i): NewRecord => {
        const [value, version] = [textOf(from + i), BigInt(from + i + 1)]
        const times = { timestamp: Date.now(), version, ordinal: 0, endsCommit: true }
        return { topic, key: null, value, ...times }
      })
      await writer.write({ records, position: '' as Position, complete: true })
      await writer.commit({ source: 's', position: String(to) as Position, timestamp: 0 })
    },
    async *read() {
      const reader = log.reader([topic], 'r').read(undefined, new AbortController().signal)
      for await (const { records } of reader)
        yield records.map(({ version }) => Number(version) - 1)
    },
  }
}

/** As its rules want it: fenced at the start, a short delay between tries. */
async function bare(): Promise<Side> {
  const client = { clientId: 'bench', bootstrapBrokers: [bootstrap] }
  const admin = new Admin(client)
  await admin.createTopics({ topics: [topic], partitions: 1, replicas: 1 })
  await admin.close()
  const producer = new Producer<Buffer, Buffer, string, string>({
    ...{ ...client, transactionalId: `${topic}.bare`, idempotent: true },
    ...{ producerId: -1n, producerEpoch: -1, timeout: 30_000, retries: 500, retryDelay: 2 },
  })
  return {
    async write(from, to) {
      const transaction = await producer.beginTransaction()
      const messages = Array.from({ length: to - from }, (_, i) => ({
        ...{ topic, partition: 0, value: textOf(from + i) },
      }))
      await transaction.send({ messages, acks: -1 })
      await transaction.commit()
    },
    async *read() {
      const groupId = `${topic}-${process.pid}`
      const consumer = new Consumer({
        ...client,
        groupId,
        ...{ isolationLevel: 1, autocommit: false },
      })
      const stream = await consumer.consume({ topics: [topic], mode: MessagesStreamModes.EARLIEST })
      for await (const { value } of stream) {
        yield [Number(/\d+/.exec(value.toString())![0])]
      }
    },
  }
}
