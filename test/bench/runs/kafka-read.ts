import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Consumer, MessagesStreamModes } from '@platformatic/kafka'
import { openKafkaLog } from '../../../src/log/kafka/kafka-log.ts'
import { kafkaOptions } from '../../../src/log/kafka/options.ts'
import { cpuMicros } from '../measure.ts'
import { finish } from './finish.ts'

/** The records of a topic with one partition, read_committed: ours, or the bare client's. */
const { bootstrap, topic, records: count, mode } = JSON.parse(process.argv[2]!)
let seen = 0
let started = 0
let cpu = process.cpuUsage()
const read = mode === 'bare' ? bare : ours
await read()
const seconds = (performance.now() - started) / 1000
finish({ perSecond: (count - 1) / seconds, cpuUsPerRecord: cpuMicros(cpu) / count })

/** From the first record on: joining a group is not what is measured. */
function first(): void {
  cpu = process.cpuUsage()
  started = performance.now()
}

async function ours(): Promise<void> {
  const options = kafkaOptions.parse({ type: 'kafka', brokers: bootstrap })
  const path = mkdtempSync(join(tmpdir(), 'millrace-bench-'))
  const log = openKafkaLog({ pipeline: 'bench', path, options })
  first()
  for await (const { records } of log
    .reader([topic], 'r')
    .read(undefined, new AbortController().signal)) {
    seen += records.length
    if (seen >= count) return
  }
}

async function bare(): Promise<void> {
  const consumer = new Consumer({
    clientId: 'bench',
    groupId: `${topic}-${process.pid}`,
    bootstrapBrokers: [bootstrap],
    ...{ isolationLevel: 1, maxBytes: 2 * 1024 * 1024, autocommit: false },
  })
  const stream = await consumer.consume({ topics: [topic], mode: MessagesStreamModes.EARLIEST })
  for await (const _ of stream) {
    if (seen++ === 0) first()
    if (seen >= count) return
  }
}
