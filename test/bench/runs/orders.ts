import { gatherBatches } from '../../../src/core/gather.ts'
import { Meter } from '../../../src/core/meter.ts'
import { pump } from '../../../src/core/pump.ts'
import type { LogRecord, NewRecord } from '../../../src/core/record.ts'
import type { Sink } from '../../../src/core/sink.ts'
import type { Position } from '../../../src/core/source.ts'
import { openEmbeddedLog } from '../../../src/log/embedded.ts'
import { cpuMicros } from '../measure.ts'

export const topic = 'bench.orders'

/** About 290 bytes of JSON, as an order with its customer has. */
export function row(i: number): object {
  return {
    ...{ id: i, status: i % 3 === 0 ? 'paid' : 'new', total: '1234.50', note: `order number ${i}` },
    customer: { id: i % 10_000, name: `customer ${i % 10_000}`, city: `city ${i % 100}` },
    created_at: '2025-01-02T03:04:05.678901Z',
    tags: ['first', 'second'],
    text: 'the quick brown fox jumps over the lazy dog again',
  }
}

/** Writes the rows to a log. */
export async function fill(path: string, documents: number): Promise<object> {
  const log = await openEmbeddedLog({ path })
  const writer = log.writer('fill')
  await writer.resume('fill')
  const position = 'end' as Position
  for (let from = 0; from < documents; from += 5_000) {
    const count = Math.min(5_000, documents - from)
    const records = Array.from({ length: count }, (_, i) => record(from + i))
    await writer.write({ records, position, complete: true })
    await writer.commit({ source: 'fill', position, timestamp: 0 })
  }
  await log.close()
  return {}
}

function record(i: number): NewRecord {
  const source = { version: '0', connector: 'millrace', name: 'bench', view: 'orders', ts_ms: i }
  const envelope = { before: null, after: row(i), source, op: 'c', ts_ms: i }
  return {
    ...{ topic, version: BigInt(i + 1), ordinal: 0, endsCommit: true, timestamp: i + 1 },
    key: Buffer.from(`{"id":${i}}`),
    value: Buffer.from(JSON.stringify(envelope)),
  }
}

/** From the log's bytes to the checkpoint that stands for the last document. */
export async function carry(
  { path, documents }: { readonly path: string; readonly documents: number },
  sink: Sink<LogRecord>,
): Promise<object> {
  const log = await openEmbeddedLog({ path })
  const stop = new AbortController()
  const meter = new Meter()
  const source = log.reader([topic], '')
  const cpu = process.cpuUsage()
  const start = performance.now()
  const pipe = { source, sink, deadLetters: async () => {}, meter, gathering: gatherBatches }
  const running = pump(pipe, stop.signal)
  while (meter.applied < documents) {
    await Promise.race([running, new Promise((resolve) => setTimeout(resolve, 2))])
  }
  return figures(documents, start, cpu)
}

export function figures(documents: number, start: number, cpu: NodeJS.CpuUsage) {
  const seconds = (performance.now() - start) / 1000
  return { documentsPerSecond: documents / seconds, cpuUsPerDocument: cpuMicros(cpu) / documents }
}
