import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import { startRedis } from '../support/servers/redis.ts'
import type { Bench, Report } from './bench.ts'
import { median, type Run, round, runChild, spread } from './measure.ts'
import { printProfile } from './profile.ts'

/**
 * Documents of 290 bytes from the log into one Redis, until the checkpoint stands for all of them;
 * beside a bare loop that makes the text of the same documents and sends the same calls of 100
 * keys, ten at a time. Redis is emptied before each run.
 */
export const redis: Bench = async ({ pairs = 7, scale, profile }) => {
  const directory = mkdtempSync(join(tmpdir(), 'millrace-bench-'))
  const documents = Math.round(400_000 * scale)
  const server = await startRedis()
  const client = new Redis(server.url, { protocol: 2 })
  const input = { documents, path: join(directory, 'log'), url: server.url }
  try {
    await runChild('redis.ts', { ...input, mode: 'fill' })
    const measure = (mode: string, file?: string) => measured(client, { ...input, mode }, file)
    await measure('bare')
    const bares: Measured[] = []
    const sinks: Measured[] = []
    for (let i = 0; i < pairs; i++) {
      bares.push(await measure('bare'))
      sinks.push(await measure('sink'))
      print(i, bares[i]!, sinks[i]!)
    }
    if (profile) {
      const file = join(directory, 'redis.cpuprofile')
      await measure('sink', file)
      printProfile(file, documents)
    }
    return summarize(bares, sinks)
  } finally {
    client.disconnect()
    await server.stop()
    rmSync(directory, { recursive: true, force: true })
  }
}

interface Measured extends Run {
  /** CPU of the server for a key, in µs. */
  readonly serverCpuUs: number
}

async function measured(
  client: Redis,
  input: { readonly documents: number; readonly mode: string },
  profile?: string,
): Promise<Measured> {
  await client.flushall()
  const start = await cpuSeconds(client)
  const run = await runChild('redis.ts', input, profile)
  const serverCpuUs = (((await cpuSeconds(client)) - start) * 1e6) / input.documents
  return { ...run, serverCpuUs }
}

async function cpuSeconds(client: Redis): Promise<number> {
  const info = await client.info('cpu')
  const of = (name: string) => Number(new RegExp(`${name}:([\\d.]+)`).exec(info)![1])
  return of('used_cpu_user') + of('used_cpu_sys')
}

function rate({ result }: Run): number {
  return result.documentsPerSecond!
}

function cpu({ result }: Run): number {
  return result.cpuUsPerDocument!
}

function print(pair: number, bare: Measured, sink: Measured): void {
  const of = (run: Measured) =>
    `${round(rate(run))} keys/s, ${round(cpu(run))} µs CPU a key, the server ${round(run.serverCpuUs)}`
  console.log(`pair ${pair + 1}: bare ${of(bare)}; sink ${of(sink)}`)
}

function summarize(bares: readonly Measured[], sinks: readonly Measured[]): Report {
  const ratios = sinks.map((sink, i) => rate(sink) / rate(bares[i]!))
  console.log(`sink ${spread(sinks.map(rate))} keys/s, ratio ${spread(ratios)}`)
  return {
    bench: 'redis',
    figure: median(sinks.map(rate)),
    unit: 'keys/s',
    reference: median(bares.map(rate)),
    ratio: median(ratios),
    cpuUsPerRecord: median(sinks.map(cpu)),
    referenceCpuUs: median(bares.map(cpu)),
    serverCpuUs: median(sinks.map(({ serverCpuUs }) => serverCpuUs)),
    peakRssMb: Math.max(...sinks.map(({ peakRssMb }) => peakRssMb)),
  }
}
