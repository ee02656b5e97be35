import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Client } from 'pg'
import { startPostgres } from '../support/servers/postgres.ts'
import type { BenchOptions, Report } from './bench.ts'
import { type Fill, makeBigTable } from './big-table.ts'
import { median, type Run, round, runChild, spread } from './measure.ts'
import { printProfile } from './profile.ts'
import { readMessages, sendQuery } from './runs/messages.ts'

const passes = 5
const xLogData = 0x77
const commitLetter = 0x43

/**
 * CPU of decoding and encoding alone: WAL messages recorded from a slot to the bytes of records,
 * without socket and log, beside the decoder of pg-logical-replication with JSON.stringify on the
 * same messages. For one large transaction; and for one transaction a row, which costs more.
 */
export async function decode({ pairs = 5, scale, profile }: BenchOptions): Promise<Report> {
  const rows = Math.round(200_000 * scale)
  const directory = mkdtempSync(join(tmpdir(), 'millrace-bench-'))
  try {
    const large = await measure({ fill: 'one', rows, directory, pairs, profile })
    const small = await measure({ fill: 'each', rows, directory, pairs, profile })
    return summarize(large, small)
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

interface Shape {
  readonly fill: Fill
  readonly rows: number
  readonly directory: string
  readonly pairs: number
  readonly profile: boolean | undefined
}

interface Pair {
  readonly baseline: Run
  readonly connector: Run
}

async function measure({ fill, rows, directory, pairs, profile }: Shape): Promise<Pair[]> {
  const postgres = await startPostgres()
  const file = join(directory, `${fill}.wal`)
  const input = { url: postgres.url, file, rows, passes }
  try {
    const [slot] = await makeBigTable(postgres.url, { rows, fill, slots: 1 })
    writeFileSync(file, await record(postgres.url, slot!, fill === 'one' ? 1 : rows))
    const runs: Pair[] = []
    for (let i = 0; i < pairs; i++) {
      const baseline = await runChild('decode.ts', { ...input, mode: 'baseline' })
      const connector = await runChild('decode.ts', { ...input, mode: 'connector' })
      runs.push({ baseline, connector })
      print(i, fill, runs[i]!)
    }
    if (profile) {
      const profile = join(directory, `decode-${fill}.cpuprofile`)
      await runChild('decode.ts', { ...input, mode: 'connector' }, profile)
      printProfile(profile, rows * (passes + 1))
    }
    return runs
  } finally {
    await postgres.stop()
  }
}

/** The XLogData messages of a slot up to its last commit, as they came. */
async function record(url: string, slot: string, commits: number): Promise<Buffer> {
  const client = new Client({ connectionString: url, replication: 'database' } as object)
  await client.connect()
  const options = `(proto_version '1', publication_names 'bench')`
  const socket = sendQuery(client, `START_REPLICATION SLOT "${slot}" LOGICAL 0/0 ${options}`)
  const messages: Buffer[] = []
  let left = commits
  await readMessages(socket, (bytes, at, end) => {
    if (left === 0 || bytes[at + 5] !== xLogData) return false
    messages.push(Buffer.from(bytes.subarray(at, end)))
    if (bytes[at + 30] === commitLetter) left--
    return left === 0
  })
  socket.removeAllListeners('close')
  socket.destroy()
  return Buffer.concat(messages)
}

function cpu({ result }: Run): number {
  return result.cpuUsPerRow!
}

function print(pair: number, fill: Fill, { baseline, connector }: Pair): void {
  const what = fill === 'one' ? 'one transaction' : 'a transaction a row'
  const micros = `pg-logical-replication ${round(cpu(baseline))}, connector ${round(cpu(connector))}`
  console.log(`pair ${pair + 1}, ${what}: ${micros} µs CPU a row`)
}

function summarize(large: readonly Pair[], small: readonly Pair[]): Report {
  const of = (pairs: readonly Pair[], pick: keyof Pair) => pairs.map((pair) => cpu(pair[pick]))
  const ratio = ({ baseline, connector }: Pair) => cpu(connector) / cpu(baseline)
  console.log(`connector ${spread(of(large, 'connector'))} µs, ratio ${spread(large.map(ratio))}`)
  return {
    bench: 'decode',
    figure: median(of(large, 'connector')),
    unit: 'µs CPU a row',
    reference: median(of(large, 'baseline')),
    ratio: median(large.map(ratio)),
    cpuUsPerRecord: median(of(large, 'connector')),
    peakRssMb: Math.max(...large.map(({ connector }) => connector.peakRssMb)),
    smallCpuUsPerRecord: median(of(small, 'connector')),
    smallReference: median(of(small, 'baseline')),
    smallRatio: median(small.map(ratio)),
  }
}
