import '../../../src/core/small-heap.ts'
import http from 'node:http'
import { elasticsearch } from '../../../sinks/elasticsearch/index.ts'
import { finish } from './finish.ts'
import { carry, figures, fill, row, topic } from './orders.ts'

const { documents, path, mode, url, index } = JSON.parse(process.argv[2]!)
if (mode === 'fill') finish(await fill(path, documents))
else if (mode === 'bare') await bare()
else await sink()

async function sink(): Promise<void> {
  const context = { pipeline: index, name: 'bench', topic, partition: 0, say: () => {} }
  const sink = elasticsearch.open(elasticsearch.options.parse({ url, index }), context)
  finish(await carry({ path, documents }, sink))
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
  finish(figures(documents, start, cpu))
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
