import { Redis } from 'ioredis'
import { documentScripts } from '../../sinks/redis/forms/document-scripts.ts'
import { redis as plugin } from '../../sinks/redis/index.ts'
import { stampKey } from '../../sinks/redis/keys.ts'
import { EncodedCommand, encodeWords } from '../../sinks/redis/resp.ts'
import { stampOf } from '../../sinks/redis/stamp.ts'
import { ByteWriter } from '../../src/core/byte-writer.ts'
import type { LogRecord } from '../../src/core/record.ts'
import type { Position } from '../../src/core/source.ts'
import { batch, put } from '../support/records.ts'
import { startRedis } from '../support/servers/redis.ts'
import type { Bench, BenchOptions } from './bench.ts'
import { cpuMicros, median, percentile } from './measure.ts'

const batchRecords = 1_000
const callKeys = 100
const writer = { owner: 'abcde', generation: 1 }

/** Records to acknowledged checkpoint, beside a bare loop that sends the same calls of 100 keys. */
export const redis: Bench = async ({ pairs = 7, scale }: BenchOptions) => {
  const server = await startRedis()
  const client = new Redis(server.url, { protocol: 2 })
  const options = plugin.options.parse({ url: server.url, key: 'order:{id}' })
  const context = { pipeline: 'b', name: 'b', topic: 'orders', partition: 0, say: () => {} }
  const sink = plugin.open(options, context)
  await sink.resume('b')
  const batches = Math.max(1, Math.round(100 * scale))
  const runs: { rate: number; bare: number; cpu: number }[] = []
  let version = 0
  for (let pair = 0; pair <= pairs; pair++) {
    const bare = await timed(() => sendBare(client, batches, ++version))
    const full = await timed(async () => {
      version++
      let committed = Promise.resolve()
      for (let i = 0; i < batches; i++) {
        await sink.write(batch(records(i, version)))
        await committed // As the pump does: the next batch is written meanwhile.
        const position = `${version} ${i}` as Position
        committed = sink.commit({ source: 'b', position, timestamp: 1 })
      }
      await committed
    })
    const count = batches * batchRecords
    if (pair > 0) runs.push({ rate: count / full.s, bare: count / bare.s, cpu: full.cpuUs / count })
  }
  await sink.close()
  client.disconnect()
  await server.stop()
  const of = (name: 'rate' | 'bare' | 'cpu') => runs.map((run) => run[name])
  return {
    bench: 'redis',
    figure: median(of('rate')),
    unit: 'keys/s',
    reference: median(of('bare')),
    ratio: median(runs.map(({ rate, bare }) => rate / bare)),
    cpuUsPerRecord: median(of('cpu')),
    peakRssMb: process.memoryUsage.rss() / 2 ** 20,
    slowest: percentile(of('rate'), 0),
  }
}

const texts = new Map<number, LogRecord[]>()

/** The records of a batch; the bytes are made once. */
function records(index: number, version: number): LogRecord[] {
  let made = texts.get(index)
  if (made === undefined) {
    made = Array.from({ length: batchRecords }, (_, i) => {
      const id = index * batchRecords + i
      return put(id, { id, text: 'x'.repeat(270) }, { ordinal: i })
    })
    texts.set(index, made)
  }
  return made.map((record) => ({ ...record, version: BigInt(version) }))
}

/** The calls of a batch are under way together, as the sink's are. */
async function sendBare(client: Redis, batches: number, version: number): Promise<void> {
  const out = new ByteWriter()
  const script = documentScripts.string
  await client.script('LOAD', script.lua)
  for (let index = 0; index < batches; index++) {
    const calls: Promise<unknown>[] = []
    const all = records(index, version)
    for (let at = 0; at < all.length; at += callKeys) {
      const keys: string[] = []
      const args: (string | Buffer)[] = ['0', '0', '604800000', '']
      for (const { key, value, ordinal } of all.slice(at, at + callKeys)) {
        const name = `order:${ordinal + index * batchRecords}`
        keys.push(name, stampKey(name))
        const body = Buffer.from(value!.subarray(24, -110))
        args.push(stampOf({ version: BigInt(version), ordinal, key: key! }, false, writer), body)
      }
      const words = ['EVALSHA', script.sha, String(keys.length), ...keys, ...args]
      calls.push(
        client.sendCommand(
          new EncodedCommand(encodeWords(out, words), 'EVALSHA'),
        ) as Promise<unknown>,
      )
    }
    await Promise.all(calls)
  }
}

async function timed(work: () => Promise<void>): Promise<{ s: number; cpuUs: number }> {
  const [start, cpu] = [performance.now(), process.cpuUsage()]
  await work()
  return { s: (performance.now() - start) / 1000, cpuUs: cpuMicros(cpu) }
}
