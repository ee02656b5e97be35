import '../../../src/core/small-heap.ts'
import { Redis } from 'ioredis'
import { documentScripts } from '../../../sinks/redis/forms/document-scripts.ts'
import { redis } from '../../../sinks/redis/index.ts'
import { stampKey } from '../../../sinks/redis/keys.ts'
import { EncodedCommand, encodeWords, type Word } from '../../../sinks/redis/resp.ts'
import { stampOf } from '../../../sinks/redis/stamp.ts'
import { ByteWriter } from '../../../src/core/byte-writer.ts'
import { finish } from './finish.ts'
import { carry, figures, fill, row, topic } from './orders.ts'

const { documents, path, mode, url } = JSON.parse(process.argv[2]!)
const callKeys = 100
/** Calls on their way at a time; fewer than that, and the server would wait for the bare loop. */
const inFlight = 10
const writer = { owner: 'abcde', generation: 1 }
if (mode === 'fill') finish(await fill(path, documents))
else if (mode === 'bare') await bare()
else await sink()

async function sink(): Promise<void> {
  const context = { pipeline: 'bench', name: 'bench', topic, partition: 0, say: () => {} }
  const sink = redis.open(redis.options.parse({ url, key: 'order:{id}' }), context)
  finish(await carry({ path, documents }, sink))
}

/** The least that a client can do: the text of the same documents, sent by the same calls. */
async function bare(): Promise<void> {
  const rows = Array.from({ length: documents }, (_, i) => row(i))
  const client = new Redis(url, { protocol: 2 })
  const out = new ByteWriter()
  const script = documentScripts.string
  await client.script('LOAD', script.lua)
  let next = 0
  const cpu = process.cpuUsage()
  const start = performance.now()
  const lane = async () => {
    while (next < documents) {
      const from = next
      next = Math.min(documents, from + callKeys)
      const words = ['EVALSHA', script.sha, ...callOf(rows.slice(from, next), from)]
      await client.sendCommand(new EncodedCommand(encodeWords(out, words), 'EVALSHA'))
    }
  }
  await Promise.all(Array.from({ length: inFlight }, lane))
  finish(figures(documents, start, cpu))
}

function callOf(rows: readonly object[], from: number): Word[] {
  const keys: string[] = []
  const args: Word[] = ['0', '0', '604800000', '']
  for (const [i, row] of rows.entries()) {
    const name = `order:${from + i}`
    keys.push(name, stampKey(name))
    const key = Buffer.from(`{"id":${from + i}}`)
    const stamped = { version: BigInt(from + i + 1), ordinal: 0, key }
    args.push(stampOf(stamped, false, writer), JSON.stringify(row))
  }
  return [String(keys.length), ...keys, ...args]
}
