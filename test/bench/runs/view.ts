import '../../../src/core/small-heap.ts'
import type { Task } from '../../../src/core/log.ts'
import { Meter } from '../../../src/core/meter.ts'
import { pump } from '../../../src/core/pump.ts'
import type { LogRecord, NewRecord } from '../../../src/core/record.ts'
import type { Sink } from '../../../src/core/sink.ts'
import type { Position } from '../../../src/core/source.ts'
import { openEmbeddedLog } from '../../../src/log/embedded.ts'
import { Topology } from '../../../src/streams/topology.ts'
import { defineView } from '../../../src/streams/view.ts'
import { ViewTask } from '../../../src/streams/view-task.ts'
import { cpuMicros } from '../measure.ts'
import { finish } from './finish.ts'

const { orders, customers, perCommit, path, mode } = JSON.parse(process.argv[2]!)
const topics = ['db.customers', 'db.orders']
const log = await openEmbeddedLog({ path })
await fill()
const stop = new AbortController()
const meter = new Meter()
const total = orders + customers
for await (const { source, task } of log.assignments(topics, 'bench', stop.signal)) {
  const sink = mode === 'join' ? joining(task('bench')) : copying(task('bench'))
  const cpu = process.cpuUsage()
  const start = performance.now()
  const running = pump({ source, sink, deadLetters: async () => {}, meter }, stop.signal)
  while (meter.records < total) {
    await Promise.race([running, new Promise((resolve) => setTimeout(resolve, 2))])
  }
  const seconds = (performance.now() - start) / 1000
  const cpuUsPerRecord = cpuMicros(cpu) / total
  finish({ recordsPerSecond: total / seconds, cpuUsPerRecord })
}

function joining(task: Task): Sink<LogRecord> {
  interface Order {
    readonly customer_id: number
  }
  const definition = defineView(({ table }) =>
    table<Order>('db.orders').join(table<{ name: string }>('db.customers'), {
      on: ({ customer_id }) => customer_id,
      select: (order, { name }) => ({ ...order, customer: name }),
    }),
  )
  const topology = new Topology('bench', { joined: definition })
  return new ViewTask({ topology, task, release: '0' })
}

/** What any view costs at least: every record read is written again. */
function copying(task: Task): Sink<LogRecord> {
  return {
    resume: (source) => task.resume(source),
    clear: (source) => task.clear(source),
    write: ({ records, position, complete }) => {
      const copies = records.map((record): NewRecord => ({ ...record, topic: 'copy' }))
      return task.write({ records: copies, position, complete })
    },
    commit: (checkpoint) => task.commit(checkpoint),
    close: () => task.close(),
  }
}

async function fill(): Promise<void> {
  const writer = log.writer('fill')
  await writer.resume('fill')
  let version = 0n
  const position = 'end' as Position
  const write = async (topic: string, from: number, to: number) => {
    const records: NewRecord[] = []
    for (let i = from; i < to; i++) {
      if ((i - from) % perCommit === 0) version++
      records.push(record(topic, i, version, (i - from) % perCommit))
    }
    await writer.write({ records, position, complete: true })
    await writer.commit({ source: 'fill', position, timestamp: 0 })
  }
  for (let i = 0; i < customers; i += 5000) await write('db.customers', i, i + 5000)
  for (let i = 0; i < orders; i += 5000) await write('db.orders', i, i + 5000)
}

function record(topic: string, i: number, version: bigint, ordinal: number): NewRecord {
  const row =
    topic === 'db.customers'
      ? { id: i, name: `customer ${i}`, city: `city ${i % 100}` }
      : {
          id: i,
          customer_id: (i * 7919) % customers,
          status: 'new',
          total: '12.50',
          note: `n ${i}`,
        }
  const source = {
    connector: 'postgresql',
    name: 'db',
    schema: 'public',
    lsn: i,
    txId: i,
    ts_ms: i,
  }
  const envelope = { before: null, after: row, source, op: 'c', ts_ms: i }
  return {
    ...{ topic, version, ordinal, endsCommit: ordinal === perCommit - 1, timestamp: i },
    key: Buffer.from(`{"id":${i}}`),
    value: Buffer.from(JSON.stringify(envelope)),
  }
}
