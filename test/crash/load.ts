import { setTimeout as sleep } from 'node:timers/promises'
import { Client, type QueryResult } from 'pg'
import { Shop } from '../../config/orders/demo/shop.ts'

const clients = 4
const secondMs = 1_000

/** What the rate is kept below, so that sinks on a small machine come to an end after it. */
const mostPerSecond = 1_000

/** Orders of the large transaction. */
const largeOrders = 7_000

/**
 * An application that writes to the shop, on several connections, and counts the rows
 * that it changes (those that the server deletes in cascade come on top).
 */
export class Load {
  readonly #url: string
  readonly #seed: number
  readonly #changes: { readonly at: number; readonly rows: number }[] = []
  #stop = new AbortController()
  #running: Promise<void> | undefined
  #started = 0

  constructor(url: string, seed: number) {
    this.#url = url
    this.#seed = seed
  }

  start(): void {
    this.#stop = new AbortController()
    const { signal } = this.#stop
    const all = Array.from({ length: clients }, () => this.#write(this.#started++, signal))
    this.#running = Promise.all(all).then(() => {})
    this.#running.catch(() => {}) // Thrown by `stop`.
  }

  async stop(): Promise<void> {
    this.#stop.abort()
    await this.#running
    this.#running = undefined
  }

  /** Rows changed in the last second. */
  get rowsPerSecond(): number {
    const from = performance.now() - secondMs
    while ((this.#changes[0]?.at ?? from) < from) this.#changes.shift()
    return this.#changes.reduce((sum, { rows }) => sum + rows, 0)
  }

  /**
   * One transaction of more than 50,000 row changes, which do not count in the rate: inserts, key
   * changes, updates, deletes. It touches rows of its own only, so that the others need not wait.
   */
  async large(): Promise<void> {
    const client = new Client(this.#url)
    await client.connect()
    try {
      for (let isDone = false; !isDone; ) {
        isDone = await changeMany(client).then(
          () => true,
          (error) => assertOrdinary(error),
        )
      }
    } finally {
      await client.end()
    }
  }

  async #write(nth: number, signal: AbortSignal): Promise<void> {
    const client = await this.#connect()
    const shop = new Shop(client, this.#seed * 1_000 + nth)
    try {
      while (!signal.aborted) {
        await shop.change().catch((error) => assertOrdinary(error))
        while (this.rowsPerSecond > mostPerSecond && !signal.aborted) await sleep(20)
      }
    } finally {
      await client.end()
    }
  }

  /** A connection that counts the rows that its statements change. */
  async #connect(): Promise<Client> {
    const client = new Client(this.#url)
    await client.connect()
    const query = client.query.bind(client) as (...args: unknown[]) => Promise<QueryResult>
    client.query = (async (...args: unknown[]) => {
      const result = await query(...args)
      this.#count(result)
      return result
    }) as unknown as typeof client.query
    return client
  }

  #count({ command, rowCount }: QueryResult): void {
    if (!['INSERT', 'UPDATE', 'DELETE'].includes(command) || !rowCount) return
    this.#changes.push({ at: performance.now(), rows: rowCount })
  }
}

/** Places orders, moves their items to other keys, and deletes every other order with its items. */
async function changeMany(client: Client): Promise<void> {
  await client.query('BEGIN')
  try {
    const { rows } = await client.query(
      `INSERT INTO orders (customer_id, note)
       SELECT c.id, 'large' FROM (SELECT id FROM customers ORDER BY id LIMIT $1 / 7) c,
              generate_series(1, 7) RETURNING id`,
      [largeOrders],
    )
    const ids = rows.map(({ id }) => id as string)
    await client.query(
      `INSERT INTO order_items
       SELECT o.id, line, b.all[1 + (o.n + line) % cardinality(b.all)], line
         FROM unnest($1::bigint[]) WITH ORDINALITY o (id, n), generate_series(1, 2) line,
              (SELECT array_agg(sku) AS all FROM products WHERE sku LIKE 'bulk-%') b`,
      [ids],
    )
    const ours = 'WHERE order_id = ANY ($1::bigint[])'
    await client.query(`UPDATE order_items SET line = line + 100 ${ours}`, [ids])
    await client.query("UPDATE orders SET status = 'paid' WHERE id = ANY ($1::bigint[])", [ids])
    const half = ids.filter((_, i) => i % 2 === 0)
    await client.query('DELETE FROM orders WHERE id = ANY ($1::bigint[])', [half])
    await client.query('COMMIT')
  } catch (error) {
    await client.query('ROLLBACK')
    throw error
  }
}

/** Clients that write the same rows meet deadlocks (40…) and broken constraints (23…). */
function assertOrdinary(error: unknown): false {
  const code = (error as { code?: string }).code ?? ''
  if (/^(23|40)/.test(code)) return false
  throw error
}
