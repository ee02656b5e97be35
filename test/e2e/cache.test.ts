import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { Cache } from 'millrace/cache'
import pg from 'pg'
import { test } from 'tap'
import { ordersOf, type Query, service } from '../../config/cache/service.ts'
import { usePostgres, useRedis } from '../support/servers/use.ts'
import { begin, until } from './pipeline.ts'

const example = (name: string) =>
  readFileSync(new URL(`../../config/cache/${name}`, import.meta.url), 'utf8')

const customers = 10
const random = (count: number) => 1 + Math.floor(Math.random() * count)

test('no stale answer survives writers at once and readers that are slow', async (t) => {
  const { url, query } = await usePostgres(t)
  await query(example('schema.sql'))
  const { url: redisUrl } = await useRedis(t)
  const folder = t.testdir({ 'pipeline.yaml': example('pipeline.yaml') })
  const env = { DATABASE_URL: url, REDIS_URL: redisUrl, SLOT: `cache_${process.pid}` }
  const running = await begin(t, { folder, env })
  await running.until('orders', ({ pending, records }) => records > 0 && pending === 0)
  await running.until('customers', ({ pending, records }) => records > 0 && pending === 0)

  const redis = new Redis(redisUrl)
  t.teardown(() => redis.disconnect())
  const pool = new pg.Pool({ connectionString: url })
  t.teardown(() => pool.end())
  const ask: Query = async (sql, values) => (await pool.query(sql, [...values])).rows
  let reads = 0
  /** What was read rests for a while: meanwhile it grows old. */
  const slowly: Query = async (sql, values) => {
    const rows = await ask(sql, values)
    if (sql !== ordersOf) return rows
    reads++
    await sleep(Math.random() * 60)
    return rows
  }
  const server = service(slowly, new Cache(redis)).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  const at = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const answer = async (customer: number) =>
    (await (await fetch(`${at}/customers/${customer}/orders`)).json()) as unknown
  const truth = async () => {
    const all = new Map<number, unknown>()
    for (let customer = 1; customer <= customers; customer++) {
      all.set(customer, (await ask(ordersOf, [customer]))[0])
    }
    return all
  }

  let answers = 0
  const end = performance.now() + 3_000
  const writer = async () => {
    while (performance.now() < end) {
      const body = JSON.stringify({ customer: random(customers), status: `s${random(1e9)}` })
      await fetch(`${at}/orders/${random(50)}`, { method: 'PUT', body })
      await sleep(Math.random() * 200)
    }
  }
  const reader = async () => {
    while (performance.now() < end) {
      await answer(random(customers))
      answers++
    }
  }
  await Promise.all([writer(), writer(), writer(), ...Array.from({ length: 8 }, reader)])

  const kept = async () => {
    const stale: string[] = []
    for (const [customer, row] of await truth()) {
      const found = await redis.get(`shop:customer:${customer}:orders`)
      if (found !== null && JSON.stringify(JSON.parse(found)) !== JSON.stringify(row)) {
        stale.push(`${customer}: ${found}`)
      }
    }
    return stale
  }
  await until(async () => (await kept()).length === 0, kept)
  await sleep(300) // Nobody who read before comes late.
  t.same(await kept(), [])
  for (const [customer, row] of await truth()) t.same(await answer(customer), row)
  const before = reads
  for (let customer = 1; customer <= customers; customer++) await answer(customer)
  t.ok(reads - before < customers, 'what nobody changes is read once')
  t.ok(reads < answers, `${answers} answers, ${reads} reads of the database`)
  await running.stop()
})
