import '../../../src/core/small-heap.ts'
import http from 'node:http'
import { elasticsearch } from '../../../sinks/elasticsearch/index.ts'
import { gatherBatches } from '../../../src/core/gather.ts'
import { Meter } from '../../../src/core/meter.ts'
import { pump } from '../../../src/core/pump.ts'
import type { NewRecord } from '../../../src/core/record.ts'
import type { Position } from '../../../src/core/source.ts'
import { openEmbeddedLog } from '../../../src/log/embedded.ts'
import { cpuMicros } from '../measure.ts'
import { finish } from './finish.ts'

const { documents, path, mode, url, index } = JSON.parse(process.argv[2]!)
const topic = 'bench.orders'
if (mode === 'fill') await fill()
else if (mode === 'bare') await bare()
else await sink()

/** About 290 bytes of JSON, as an order with its customer has. */
function row(i: number): object {
  return {
    ...{ id: i, status: i % 3 === 0 ? 'paid' : 'new', total: '1234.50', note: `order number ${i}` },
    customer: { id: i % 10_000, name: `customer ${i % 10_000}`, city: `city ${i % 100}` },
    created_at: '2025-01-02T03:04:05.678901Z',
    tags: ['first', 'second'],
    text: 'the quick brown fox jumps over the lazy dog again',
  }
}

async function fill(): Promise<void> {
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
  finish({})
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
async function sink(): Promise<void> {
  const log = await openEmbeddedLog({ path })
  const context = { pipeline: index, name: 'bench', topic, partition: 0, say: () => {} }
  const sink = elasticsearch.open(elasticsearch.options.parse({ url, index }), context)
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
  finish(figures(start, cpu))
}

/** The least that a client can do: makes the text of a thousand documents and sends it. */
async function bare(): Promise<void> {
  const rows = Array.from({ length: documents }, (_, i) => row(i))
  const agent = new http.Agent({ keepAlive: true, maxSockets: 2 })
  let next = 0
  const cpu = process.cpuUsage()
  const start = performance.now()
  const lane = async () => {
    while (next < documents) {
      const from = next
      next = Math.min(documents, from + 1_000)
      let text = ''
      for (let i = from; i < next; i++) {
        const index = { _id: String(i), version: i + 1, version_type: 'external_gte' }
        text += `${JSON.stringify({ index })}\n${JSON.stringify(rows[i])}\n`
      }
      const answer = await post(agent, text)
      if (!answer.includes('"errors":false')) throw new Error(answer.slice(0, 200))
    }
  }
  await Promise.all([lane(), lane()])
  finish(figures(start, cpu))
}

function post(agent: http.Agent, text: string): Promise<string> {
  const filter = 'filter_path=errors,items.*.status,items.*.error.type,items.*.error.reason'
  const headers = {
    'content-type': 'application/x-ndjson',
    'content-length': Buffer.byteLength(text),
  }
  return new Promise((resolve, reject) => {
    const target = `${url}/${index}/_bulk?${filter}`
    const request = http.request(target, { method: 'POST', agent, headers }, (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('end', () => resolve(Buffer.concat(chunks).toString()))
      response.on('error', reject)
    })
    request.on('error', reject)
    request.end(text)
  })
}

function figures(start: number, cpu: NodeJS.CpuUsage) {
  const seconds = (performance.now() - start) / 1000
  return { documentsPerSecond: documents / seconds, cpuUsPerDocument: cpuMicros(cpu) / documents }
}
