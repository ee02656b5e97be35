import { setTimeout as sleep } from 'node:timers/promises'
import { Client } from 'pg'
import { newBody } from './archive-database.ts'
import { untilDone } from './ordinary.ts'
import type { Phase } from './plan.ts'

/** Orders of the large transaction: with their items, some 105,000 row changes. */
const largeOrders = 14_000

/** What is written while the program is in a phase, a transaction at a time. */
interface Weather {
  readonly connector: string
  /** One after the other, with so long in between; without, a single one. */
  readonly everyMs?: number
  readonly transact: (client: Client, nth: number) => Promise<void>
}

export const weathers: Readonly<Partial<Record<Phase, Weather>>> = {
  large: { connector: 'db', transact: changeMany },
  keys: { connector: 'archive', everyMs: 150, transact: moveKeys },
  toast: { connector: 'archive', everyMs: 150, transact: touch },
  schema: { connector: 'archive', everyMs: 400, transact: alter },
}

/** Counts on through a campaign, so that no column's name comes twice. */
let altered = 0

/** A writer of transactions of one kind, who knows where in the WAL they are. */
export class Storm {
  /** At or before the commit of the last transaction; `undefined`: none has ended. */
  committed: bigint | undefined
  /** A transaction is under way that has changed rows already. */
  isInside = false
  readonly #url: string
  readonly #weather: Weather
  readonly #stop = new AbortController()
  #running: Promise<void> = Promise.resolve()

  constructor(url: string, weather: Weather) {
    this.#url = url
    this.#weather = weather
  }

  start(): void {
    this.#running = this.#run()
    this.#running.catch(() => {}) // Thrown by `stop`.
  }

  /** Lets the transaction under way come to its end. */
  async stop(): Promise<void> {
    this.#stop.abort()
    await this.#running
  }

  async #run(): Promise<void> {
    const { everyMs, transact } = this.#weather
    const { signal } = this.#stop
    const client = new Client(this.#url)
    client.on('error', () => {}) // What is asked next reports it.
    await client.connect()
    try {
      do {
        await untilDone(() => this.#transaction(client, transact))
        await sleep(everyMs ?? 0, undefined, { signal }).catch(() => {})
      } while (everyMs !== undefined && !signal.aborted)
    } finally {
      await client.end()
    }
  }

  async #transaction(client: Client, transact: Weather['transact']): Promise<void> {
    await client.query('BEGIN')
    try {
      this.isInside = true
      await transact(client, altered++)
      const { rows } = await client.query("SELECT pg_current_wal_insert_lsn() - '0/0' AS lsn")
      await client.query('COMMIT')
      this.committed = BigInt(rows[0].lsn)
    } catch (error) {
      await client.query('ROLLBACK')
      throw error
    } finally {
      this.isInside = false
    }
  }
}

/**
 * Places orders, moves their items to other keys, and deletes every other order with its items; in
 * between, changes of the same rows and others come to nothing. It touches rows of its own only, so
 * that the others need not wait.
 */
async function changeMany(client: Client): Promise<void> {
  const ids = await placeOrders(client, largeOrders)
  await abandon(client, 'early', async () => {
    await placeOrders(client, 1_000)
    await client.query('DELETE FROM orders WHERE id = ANY ($1::bigint[])', [ids.slice(0, 500)])
  })
  await client.query(
    `INSERT INTO order_items
     SELECT o.id, line, b.all[1 + (o.n + line) % cardinality(b.all)], line
       FROM unnest($1::bigint[]) WITH ORDINALITY o (id, n), generate_series(1, 2) line,
            (SELECT array_agg(sku) AS all FROM products WHERE sku LIKE 'bulk-%') b`,
    [ids],
  )
  const ours = 'WHERE order_id = ANY ($1::bigint[])'
  await client.query('SAVEPOINT kept')
  await client.query(`UPDATE order_items SET line = line + 100 ${ours}`, [ids])
  await abandon(client, 'nested', () =>
    client.query(`UPDATE order_items SET quantity = 77, line = line + 5 ${ours}`, [
      ids.slice(0, 3_000),
    ]),
  )
  await client.query('RELEASE SAVEPOINT kept')
  await client.query("UPDATE orders SET status = 'paid' WHERE id = ANY ($1::bigint[])", [ids])
  const half = ids.filter((_, i) => i % 2 === 0)
  await client.query('DELETE FROM orders WHERE id = ANY ($1::bigint[])', [half])
  await abandon(client, 'late', () => placeOrders(client, 1_000))
}

async function placeOrders(client: Client, count: number): Promise<readonly string[]> {
  const { rows } = await client.query(
    `INSERT INTO orders (customer_id, note)
     SELECT c.id, 'large' FROM (SELECT id FROM customers ORDER BY id LIMIT $1 / 7) c,
            generate_series(1, 7) RETURNING id`,
    [count],
  )
  return rows.map(({ id }) => id as string)
}

/** A sub-transaction that is rolled back, with another in it that was kept. */
async function abandon(client: Client, name: string, work: () => Promise<unknown>): Promise<void> {
  await client.query(`SAVEPOINT ${name}; SAVEPOINT within_${name}`)
  await work()
  await client.query(`RELEASE SAVEPOINT within_${name}; ROLLBACK TO SAVEPOINT ${name}`)
}

/** Rows take keys that others had, or move on by one; their large columns are not sent. */
async function moveKeys(client: Client, nth: number): Promise<void> {
  const some = 'id > 0 AND id / 1000 % 4 = $1'
  await client.query(`UPDATE papers SET id = -id WHERE ${some}`, [nth % 4])
  await client.query('UPDATE papers SET id = -id + 1 WHERE id < 0')
  // Neighbours change places, by way of keys that nobody has.
  await client.query(
    `WITH pair AS (
       SELECT id, row_number() OVER (ORDER BY id) AS place FROM papers WHERE id / 1000 % 9 = $1),
     swap AS (
       SELECT a.id AS one, b.id AS other FROM pair a JOIN pair b ON b.place = a.place + 1
        WHERE a.place % 2 = 1)
     UPDATE papers p SET id = -(s.one + s.other - p.id) FROM swap s WHERE p.id IN (s.one, s.other)`,
    [nth % 9],
  )
  await client.query('UPDATE papers SET id = -id WHERE id < 0')
}

/** The large column stays as it is, but for a few rows. */
async function touch(client: Client, nth: number): Promise<void> {
  const part = [nth % 3]
  await client.query('UPDATE papers SET grade = grade + 1 WHERE id / 1000 % 3 = $1', part)
  await client.query("UPDATE papers SET note = 'n' || grade WHERE id / 1000 % 6 = $1", part)
  await client.query(`UPDATE papers SET body = ${newBody} WHERE id / 1000 % 99 = $1`, part)
}

/**
 * A column comes, takes another type, and goes; every row is changed each time. The type stays one
 * that a search index knows by the same name: it cannot change that.
 */
async function alter(client: Client, nth: number): Promise<void> {
  const { rows } = await client.query(
    `SELECT attname AS name, format_type(atttypid, atttypmod) AS type FROM pg_attribute
      WHERE attrelid = 'papers'::regclass AND attname LIKE 'extra%' AND NOT attisdropped`,
  )
  const [extra] = rows
  await client.query('UPDATE papers SET grade = grade + 1 WHERE id / 1000 % 5 = 0')
  if (extra === undefined) {
    await client.query(`ALTER TABLE papers ADD COLUMN extra_${nth} numeric(10,2) DEFAULT 0`)
    await client.query(`UPDATE papers SET extra_${nth} = id % 1000 + 0.25`)
  } else if (extra.type === 'numeric(10,2)') {
    await client.query(`ALTER TABLE papers ALTER COLUMN ${extra.name} TYPE numeric(12,4)`)
    await client.query(`UPDATE papers SET ${extra.name} = ${extra.name} + 7`)
  } else {
    await client.query(`ALTER TABLE papers DROP COLUMN ${extra.name}`)
    await client.query('UPDATE papers SET grade = grade + 1')
  }
}
