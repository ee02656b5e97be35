import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Client } from 'pg'
import { startPostgres } from '../support/servers/postgres.ts'
import type { BenchOptions, Report } from './bench.ts'
import { median, type Run, round, runChild, spread } from './measure.ts'

const createTable = `CREATE TABLE big (
  id bigint PRIMARY KEY, customer_id int, status text, total numeric(12,2),
  created timestamptz, paid bool, note varchar(100))`

const values = `i, i % 1000, 'status-' || (i % 7), (i % 10000) / 100.0,
  '2026-01-01'::timestamptz + i * interval '1 second', i % 2 = 0, 'note number ' || i`

/** Fills the table: in one transaction, or in one for each row. */
const fill = {
  one: (rows: number) => `INSERT INTO big SELECT ${values} FROM generate_series(1, ${rows}) i`,
  each: (rows: number) => `DO $$ BEGIN
    SET synchronous_commit = off;
    FOR i IN 1..${rows} LOOP INSERT INTO big VALUES (${values}); COMMIT; END LOOP;
  END $$`,
} as const

/**
 * One transaction of a million rows from the WAL into the durable embedded log, beside a raw socket
 * that drains the same WAL, skipping CopyData by length and sending the same acknowledgements.
 */
export const source = (options: BenchOptions) =>
  measure({ bench: 'source', rows: 1_000_000, fill: 'one' }, options)

/** The same for 300,000 transactions of one row. */
export const sourceSmall = (options: BenchOptions) =>
  measure({ bench: 'source-small', rows: 300_000, fill: 'each' }, options)

interface Shape {
  readonly bench: string
  readonly rows: number
  readonly fill: keyof typeof fill
}

async function measure(shape: Shape, { pairs, scale }: BenchOptions): Promise<Report> {
  const rows = Math.round(shape.rows * scale)
  const postgres = await startPostgres({ settings: { max_replication_slots: '40' } })
  const directory = mkdtempSync(join(tmpdir(), 'millrace-bench-'))
  try {
    const slots = await prepare(postgres.url, fill[shape.fill](rows), pairs * 2)
    const drains: Run[] = []
    const sources: Run[] = []
    for (let i = 0; i < pairs; i++) {
      const commits = shape.fill === 'one' ? 1 : rows
      const common = { url: postgres.url, rows, commits }
      drains.push(await runChild('drain.ts', { ...common, slot: slots[2 * i] }))
      const path = join(directory, String(i))
      sources.push(await runChild('source.ts', { ...common, slot: slots[2 * i + 1], path }))
      rmSync(path, { recursive: true })
      print(i, drains[i]!, sources[i]!)
    }
    return summarize(shape.bench, drains, sources)
  } finally {
    await postgres.stop()
    rmSync(directory, { recursive: true, force: true })
  }
}

/** Every run gets a slot of its own, made before the rows, so that all decode the same WAL. */
async function prepare(url: string, fill: string, count: number): Promise<string[]> {
  const client = new Client(url)
  await client.connect()
  await client.query(createTable)
  await client.query('CREATE PUBLICATION bench FOR TABLE big')
  const slots = Array.from({ length: count }, (_, i) => `bench_${i}`)
  for (const slot of slots) {
    await client.query("SELECT pg_create_logical_replication_slot($1, 'pgoutput')", [slot])
  }
  await client.query(fill)
  await client.query('CHECKPOINT')
  await client.end()
  return slots
}

function print(pair: number, drain: Run, run: Run): void {
  const rate = (run: Run) => `${round(run.result.rowsPerSecond!)} rows/s`
  const cpu = `${round(run.result.cpuUsPerRow!)} µs CPU a row, peak ${round(run.peakRssMb)} MB`
  console.log(`pair ${pair + 1}: drain ${rate(drain)}, source ${rate(run)}, ${cpu}`)
}

function summarize(bench: string, drains: readonly Run[], sources: readonly Run[]): Report {
  const rates = (runs: readonly Run[]) => runs.map(({ result }) => result.rowsPerSecond!)
  const ratios = rates(sources).map((rate, i) => rate / rates(drains)[i]!)
  console.log(`source ${spread(rates(sources))} rows/s, drain ${spread(rates(drains))} rows/s`)
  console.log(
    `ratio ${spread(ratios)}, mapped pages ${round(Math.max(...sources.map((r) => r.peakMappedMb)))} MB`,
  )
  return {
    bench,
    figure: median(rates(sources)),
    unit: 'rows/s',
    reference: median(rates(drains)),
    ratio: median(ratios),
    cpuUsPerRecord: median(sources.map(({ result }) => result.cpuUsPerRow!)),
    drainCpuUsPerRecord: median(drains.map(({ result }) => result.cpuUsPerRow!)),
    peakRssMb: Math.max(...sources.map(({ peakRssMb }) => peakRssMb)),
  }
}
