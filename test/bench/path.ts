import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import { Client } from 'pg'
import { startPostgres } from '../support/servers/postgres.ts'
import { startRedis } from '../support/servers/redis.ts'
import type { BenchOptions, Report } from './bench.ts'
import { median, percentile, round, runChild, spread, startChild } from './measure.ts'
import { startProgram } from './program.ts'

const perSecond = 1_000
/** Below this the schedule was not kept, and the latencies mean nothing. */
const leastPerSecond = 990

const schema = `
  CREATE TABLE customers (id int PRIMARY KEY, name text);
  CREATE TABLE orders (id bigint PRIMARY KEY, customer_id int, status text,
                       total numeric(12,2), placed_at timestamptz);
  INSERT INTO customers SELECT i, 'customer ' || i FROM generate_series(1, 1000) i`

const view = `import { defineView } from 'millrace'
export const orders = defineView(({ table }) =>
  table('db.public.orders').join(table('db.public.customers'), {
    on: ({ customer_id }) => customer_id,
    select: (order, { name }) => ({ ...order, customer: name }),
  }))
`

/**
 * The whole program at 1,000 transactions a second: from COMMIT's return to the moment another
 * process sees the joined document in Redis, and in SQLite, beside a bare loop of write and sync.
 */
export async function path({ pairs = 5, scale }: BenchOptions): Promise<Report> {
  const seconds = Math.max(2, Math.round(12 * scale))
  const postgres = await startPostgres()
  const redis = await startRedis()
  // Inside the package, so that the view can import it by its name.
  const data = join(import.meta.dirname, '../../data')
  mkdirSync(data, { recursive: true })
  const directory = mkdtempSync(join(data, 'bench-'))
  const program = await prepare(directory, postgres.url, redis.url)
  try {
    const runs: Pair[] = []
    const count = seconds * perSecond
    const common = { url: postgres.url, redis: redis.url, directory, count }
    await measure({ ...common, firstId: 1, count: 3 * perSecond }) // Everything gets warm.
    for (let i = 0; i < pairs; i++) {
      const disk = (await runChild('fsync.ts', { path: join(directory, 'page'), count: 2000 }))
        .result
      const before = program.cpuMicros()
      const sinks = await measure({ ...common, firstId: 1_000_000 * (i + 1) })
      const cpuUs = (program.cpuMicros() - before) / count
      runs.push({ disk: { p50: disk.p50Ms!, p99: disk.p99Ms! }, ...sinks, cpuUs })
      print(i, runs[i]!)
    }
    return summarize(runs, program.peakRssMb())
  } finally {
    await program.stop()
    await redis.stop()
    await postgres.stop()
    rmSync(directory, { recursive: true, force: true })
  }
}

interface Latency {
  readonly p50: number
  readonly p99: number
}

interface Pair {
  readonly disk: Latency
  readonly redis: Latency
  readonly sqlite: Latency
  readonly perSecond: number
  readonly cpuUs: number
}

async function prepare(directory: string, database: string, redisUrl: string) {
  const client = new Client(database)
  await client.connect()
  await client.query(schema)
  await client.end()
  const redis = new Redis(redisUrl)
  await redis.config('SET', 'notify-keyspace-events', 'E$')
  redis.disconnect()
  writeFileSync(join(directory, 'view.mjs'), view)
  return startProgram(directory, {
    name: 'bench',
    log: { path: join(directory, 'log') },
    connectors: {
      db: { type: 'postgres', url: database, tables: ['public.customers', 'public.orders'] },
    },
    views: { orders: { module: './view.mjs' } },
    sinks: {
      cache: { type: 'redis', from: 'orders', url: redisUrl, key: 'order:{id}' },
      local: { type: 'sqlite', from: 'orders', path: './bench.sqlite' },
    },
  })
}

interface Load {
  readonly url: string
  readonly redis: string
  readonly directory: string
  readonly firstId: number
  readonly count: number
}

async function measure({ url, redis, directory, firstId, count }: Load) {
  const range = { firstId, count }
  const watchers = await Promise.all([
    startChild('watch-redis.ts', { url: redis, ...range }),
    startChild('watch-sqlite.ts', { path: join(directory, 'bench.sqlite'), ...range }),
  ])
  const writer = await startChild(
    'writer.ts',
    { url, ...range, perSecond, connections: 8 },
    {
      saysReady: false,
    },
  )
  const written = (await writer.result()) as { perSecond: number; returned: number[] }
  const [inRedis, inSqlite] = await Promise.all(watchers.map((watcher) => watcher.result()))
  const latency = (result: unknown): Latency => {
    const { seen } = result as { seen: number[] }
    const times = seen.map((at, i) => at - written.returned[i]!)
    return { p50: percentile(times, 0.5), p99: percentile(times, 0.99) }
  }
  return { redis: latency(inRedis), sqlite: latency(inSqlite), perSecond: written.perSecond }
}

function print(pair: number, { disk, redis, sqlite, perSecond, cpuUs }: Pair): void {
  const show = ({ p50, p99 }: Latency) => `p50 ${round(p50)} p99 ${round(p99)} ms`
  const rate = `${round(perSecond)}/s${perSecond < leastPerSecond ? ' INVALID' : ''}`
  console.log(
    `pair ${pair + 1}: Redis ${show(redis)}, SQLite ${show(sqlite)}, disk ${show(disk)}, ` +
      `${rate}, ${round(cpuUs)} µs CPU a change`,
  )
}

function summarize(runs: readonly Pair[], peakRssMb: number): Report {
  const valid = runs.filter(({ perSecond }) => perSecond >= leastPerSecond)
  const of = (pick: (pair: Pair) => number) => median(valid.map(pick))
  const worse = (pair: Pair) => Math.max(pair.redis.p99, pair.sqlite.p99)
  console.log(
    `p99 of the slower sink ${spread(valid.map(worse))} ms in ${valid.length} valid pairs`,
  )
  return {
    bench: 'path',
    figure: of(worse),
    unit: 'ms (p99 of the slower sink)',
    reference: of(({ disk }) => disk.p99),
    ratio: median(valid.map((pair) => worse(pair) / pair.disk.p99)),
    cpuUsPerRecord: of(({ cpuUs }) => cpuUs),
    peakRssMb,
    p50Ms: of(({ redis, sqlite }) => Math.max(redis.p50, sqlite.p50)),
    p99Ms: of(worse),
    redisP50Ms: of(({ redis }) => redis.p50),
    redisP99Ms: of(({ redis }) => redis.p99),
    sqliteP50Ms: of(({ sqlite }) => sqlite.p50),
    sqliteP99Ms: of(({ sqlite }) => sqlite.p99),
    diskP50Ms: of(({ disk }) => disk.p50),
    transactionsPerSecond: of(({ perSecond }) => perSecond),
  }
}
