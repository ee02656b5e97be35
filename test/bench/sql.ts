import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startPostgres } from '../support/servers/postgres.ts'
import type { Bench, BenchOptions, Report } from './bench.ts'
import { median, type Run, round, runChild, spread } from './measure.ts'
import { printProfile } from './profile.ts'

/**
 * Documents of 290 bytes from the log into a table, until the checkpoint stands for all of them;
 * beside a bare loop that makes the text of the same documents and upserts it, with a version, in
 * transactions of as many rows. Each run has a database of its own.
 */
export const postgresSink: Bench = async (options) => {
  const server = await startPostgres()
  let databases = 0
  try {
    return await sql('postgres', () => server.createDatabase(`bench${++databases}`), options)
  } finally {
    await server.stop()
  }
}

export const sqlite: Bench = async (options) => {
  const directory = mkdtempSync(join(tmpdir(), 'millrace-bench-'))
  let files = 0
  try {
    return await sql('sqlite', async () => join(directory, `${++files}.db`), options)
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

async function sql(
  product: 'postgres' | 'sqlite',
  makeTarget: () => Promise<string>,
  { pairs = 5, scale, profile }: BenchOptions,
): Promise<Report> {
  const directory = mkdtempSync(join(tmpdir(), 'millrace-bench-'))
  const documents = Math.round(200_000 * scale)
  const input = { documents, path: join(directory, 'log') }
  try {
    await runChild('sql.ts', { ...input, mode: 'fill' })
    const measure = async (who: string, file?: string) =>
      runChild('sql.ts', { ...input, mode: `${product} ${who}`, target: await makeTarget() }, file)
    await measure('bare')
    const bares: Run[] = []
    const sinks: Run[] = []
    for (let i = 0; i < pairs; i++) {
      bares.push(await measure('bare'))
      sinks.push(await measure('sink'))
      print(i, bares[i]!, sinks[i]!)
    }
    if (profile) {
      const file = join(directory, 'sql.cpuprofile')
      await measure('sink', file)
      printProfile(file, documents)
    }
    return summarize(product === 'postgres' ? 'postgres-sink' : product, bares, sinks)
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

function rate({ result }: Run): number {
  return result.documentsPerSecond!
}

function cpu({ result }: Run): number {
  return result.cpuUsPerDocument!
}

function print(pair: number, bare: Run, sink: Run): void {
  const of = (run: Run) => `${round(rate(run))} documents/s, ${round(cpu(run))} µs CPU a document`
  console.log(
    `pair ${pair + 1}: bare ${of(bare)}; sink ${of(sink)}, peak ${round(sink.peakRssMb)} MB`,
  )
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
