import { createServer, type IncomingMessage, type Server } from 'node:http'
import { text } from 'node:stream/consumers'
import { Redis } from 'ioredis'
import { Cache } from 'millrace/cache'
import pg from 'pg'

/** Asks the database. */
export type Query = (sql: string, values: readonly unknown[]) => Promise<readonly object[]>

/** What a customer has ordered. */
export const ordersOf = `
  SELECT c.name, json_agg(json_build_object('id', o.id, 'status', o.status) ORDER BY o.id) AS orders
  FROM customers c LEFT JOIN orders o ON o.customer_id = c.id WHERE c.id = $1 GROUP BY c.name`

/**
 * `GET /customers/7/orders` reads through the cache. `PUT /orders/11`, with the customer and the
 * status as JSON, writes to the database and nowhere else: the cache follows from the WAL.
 */
export function service(query: Query, cache: Cache): Server {
  return createServer(async (request, response) => {
    try {
      const body = await answer(request, query, cache)
      response.writeHead(body === undefined ? 404 : 200, { 'content-type': 'application/json' })
      response.end(body)
    } catch (error) {
      response.writeHead(500).end(String(error))
    }
  })
}

async function answer(
  request: IncomingMessage,
  query: Query,
  cache: Cache,
): Promise<string | undefined> {
  const { method, url } = request
  const [, what, id, orders] = /^\/(customers|orders)\/(\d+)(\/orders)?$/.exec(url ?? '') ?? []
  if (method === 'GET' && what === 'customers' && orders) {
    return cache.through(
      `shop:customer:${id}:orders`,
      async () => JSON.stringify((await query(ordersOf, [id]))[0] ?? null),
      { ttlMs: 3_600_000 },
    )
  }
  if (method === 'PUT' && what === 'orders') {
    const { customer, status } = JSON.parse(await text(request)) as Record<string, unknown>
    const update = 'UPDATE orders SET customer_id = $2, status = $3 WHERE id = $1 RETURNING *'
    return JSON.stringify((await query(update, [id, customer, status]))[0] ?? null)
  }
  return undefined
}

if (import.meta.main) {
  const { DATABASE_URL, REDIS_URL, PORT = '8080' } = process.env
  const pool = new pg.Pool({ connectionString: DATABASE_URL })
  // Without Redis the service asks the database, at once.
  const redis = new Redis(REDIS_URL!, { enableOfflineQueue: false, maxRetriesPerRequest: 0 })
  redis.on('error', (error) => console.error(`the cache: ${error.message}`))
  const cache = new Cache(redis, { onError: () => {} })
  const query: Query = async (sql, values) => (await pool.query(sql, [...values])).rows
  service(query, cache).listen(Number(PORT), () => console.log(`http://127.0.0.1:${PORT}`))
}
