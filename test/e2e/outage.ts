import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Test } from 'tap'
import { type TestDatabase, usePostgres, useRedis } from '../support/servers/use.ts'
import { begin, until } from './pipeline.ts'
import { inRedis } from './targets.ts'

const rows = 200

const configuration = (redis: string) => `name: shop
connectors:
  db:
    type: postgres
    url: \${DATABASE_URL}
    slot.name: \${SLOT}
    tables: [public.orders]
sinks:
  cache: {type: redis, from: db.public.orders, url: "${redis}", key: "order:{id}"}
`

export interface Outage {
  /** How long Redis is down at the least … */
  readonly downMs: number
  /** … and how much is written meanwhile, at the least. */
  readonly bytes: number
  /** What the memory of this process may grow by: far less than what is written. */
  readonly growthBytes: number
  /** Rest between two transactions. */
  readonly pauseMs: number
}

const patienceMs = 240_000

/** Takes Redis away under load: nothing is lost, memory stays flat, and then it goes on. */
export async function survive(t: Test, outage: Outage): Promise<void> {
  const redis = await useRedis(t, {})
  const database = await usePostgres(t)
  await database.query(`
    CREATE TABLE orders (id int PRIMARY KEY, round int, note text);
    INSERT INTO orders SELECT i, 0, '' FROM generate_series(1, ${rows}) i`)
  const folder = t.testdir({ 'pipeline.yaml': configuration(redis.url) })
  const env = { DATABASE_URL: database.url, SLOT: database.database }
  const running = await begin(t, { folder, env })
  const untilSame = () =>
    until(
      async () => JSON.stringify(await inRedis(redis.url, 'order:')) === (await expected(database)),
      async () => JSON.stringify(await running.part('cache')),
      patienceMs,
    )
  // The same load before, so that what the outage adds is not what any load needs.
  let round = await write(database, 0, { ...outage, downMs: 0 })
  await untilSame()

  const memory = watchMemory()
  await redis.server!.kill()
  round = await write(database, round, outage)
  await running.until('db', ({ lag }) => lag.seconds === 0)
  t.match(await running.part('cache'), { state: 'retrying', reason: /^CONNECTION_LOST/, dead: 0 })
  t.match(await running.part('db'), { state: 'running', reason: null })
  t.match(await running.part('views'), { state: 'running', reason: null })

  await redis.server!.restart()
  await untilSame()
  const growth = memory.stop()
  t.ok(growth < outage.growthBytes, `memory grew by ${Math.round(growth / 2 ** 20)} MiB`)
  t.match(await running.part('cache'), { state: 'running', reason: null, dead: 0 })
}

/** Rewrites every row, again and again. */
async function write(
  { query }: TestDatabase,
  from: number,
  { bytes, downMs, pauseMs }: Outage,
): Promise<number> {
  const end = performance.now() + downMs
  const noteBytes = 1024
  const rounds = Math.ceil(bytes / (noteBytes * rows))
  const update = `UPDATE orders SET round = $1, note = repeat(md5(random()::text), ${noteBytes / 32})`
  let round = from
  while (round - from < rounds || performance.now() < end) {
    await query(update, [++round])
    if (pauseMs > 0) await sleep(pauseMs)
  }
  return round
}

async function expected({ query }: TestDatabase): Promise<string> {
  const found = await query<{ id: number }>('SELECT id, round, note FROM orders')
  return JSON.stringify(Object.fromEntries(found.map((row) => [String(row.id), row])))
}

/** Watches the memory that belongs to this process alone; pages of mapped files do not. */
function watchMemory() {
  const before = anonymousBytes()
  let peak = before
  const timer = setInterval(() => (peak = Math.max(peak, anonymousBytes())), 100)
  return {
    stop() {
      clearInterval(timer)
      return peak - before
    },
  }
}

function anonymousBytes(): number {
  const [, kilobytes] =
    /^RssAnon:\s+(\d+) kB/m.exec(readFileSync('/proc/self/status', 'utf8')) ?? []
  return Number(kilobytes) * 1024
}
