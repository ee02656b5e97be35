import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  type SearchServer,
  startElasticsearch,
  startOpensearch,
} from '../support/servers/search.ts'
import type { Bench, BenchOptions, Report } from './bench.ts'
import { median, type Run, round, runChild, spread } from './measure.ts'
import { printProfile } from './profile.ts'

/**
 * Documents of 290 bytes from the log into one warm server, until the checkpoint stands for all of
 * them; beside a bare loop over node:http that makes the text of the same documents and sends it,
 * two requests at a time. Each run has an index of its own.
 */
export const searchElasticsearch: Bench = (options) =>
  search('elasticsearch', () => startElasticsearch({ heap: '1g' }), options)

export const searchOpensearch: Bench = (options) =>
  search('opensearch', () => startOpensearch({ heap: '1g' }), options)

async function search(
  bench: string,
  startServer: () => Promise<SearchServer>,
  { pairs = 5, scale, profile }: BenchOptions,
): Promise<Report> {
  const directory = mkdtempSync(join(tmpdir(), 'millrace-bench-'))
  const documents = Math.round(200_000 * scale)
  const input = { documents, path: join(directory, 'log') }
  const server = await startServer()
  try {
    await runChild('search.ts', { ...input, mode: 'fill' })
    const measure = (mode: string, file?: string) => measured(server.url, { ...input, mode }, file)
    // The first runs of a server are several times slower than its tenth.
    for (const mode of ['bare', 'sink', 'bare', 'sink']) await measure(mode)
    const bares: Run[] = []
    const sinks: Run[] = []
    for (let i = 0; i < pairs; i++) {
      bares.push(await measure('bare'))
      sinks.push(await measure('sink'))
      print(i, bares[i]!, sinks[i]!)
    }
    if (profile) {
      const file = join(directory, 'search.cpuprofile')
      await measure('sink', file)
      printProfile(file)
    }
    return summarize(bench, bares, sinks)
  } finally {
    await server.stop()
    rmSync(directory, { recursive: true, force: true })
  }
}

async function measured(url: string, input: object, profile?: string): Promise<Run> {
  const index = `bench-${randomBytes(4).toString('hex')}`
  const settings = { number_of_shards: 1, number_of_replicas: 0 }
  const text = { type: 'text' }
  const properties = { id: { type: 'long' }, status: { type: 'keyword' }, note: text, text }
  await ask(url, 'PUT', index, { settings, mappings: { dynamic: false, properties } })
  try {
    return await runChild('search.ts', { ...input, url, index }, profile)
  } finally {
    await ask(url, 'DELETE', index)
  }
}

async function ask(url: string, method: string, path: string, body?: object): Promise<void> {
  const content = body && {
    body: JSON.stringify(body),
    headers: { 'content-type': 'application/json' },
  }
  const answer = await fetch(`${url}/${path}`, { method, ...content })
  if (!answer.ok) throw new Error(await answer.text())
}

function rate({ result }: Run): number {
  return result.documentsPerSecond!
}

function cpu({ result }: Run): number {
  return result.cpuUsPerDocument!
}

function print(pair: number, bare: Run, sink: Run): void {
  const rates = `bare ${round(rate(bare))} documents/s, sink ${round(rate(sink))} documents/s`
  const costs = `${round(cpu(bare))} and ${round(cpu(sink))} µs CPU a document`
  console.log(`pair ${pair + 1}: ${rates}, ${costs}, peak ${round(sink.peakRssMb)} MB`)
}

function summarize(bench: string, bares: readonly Run[], sinks: readonly Run[]): Report {
  const ratios = sinks.map((sink, i) => rate(sink) / rate(bares[i]!))
  console.log(`sink ${spread(sinks.map(rate))} documents/s, ratio ${spread(ratios)}`)
  return {
    bench,
    figure: median(sinks.map(rate)),
    unit: 'documents/s',
    reference: median(bares.map(rate)),
    ratio: median(ratios),
    cpuUsPerRecord: median(sinks.map(cpu)),
    referenceCpuUs: median(bares.map(cpu)),
    peakRssMb: Math.max(...sinks.map(({ peakRssMb }) => peakRssMb)),
  }
}
