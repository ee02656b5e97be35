import { setTimeout as sleep } from 'node:timers/promises'
import { Client } from 'pg'
import { Shop } from '../../config/orders/demo/shop.ts'
import { expected } from '../../config/orders/demo/verdict.ts'
import type { Subject } from './subject.ts'

/** Orders at the beginning of a life. */
const orders = 10_000

const rows = `
  CREATE TABLE signals (id text, type text, data text);
  INSERT INTO products SELECT 'thing-' || i, 'thing ' || i, i % 100 + 0.5 FROM generate_series(1, 900) i;
  INSERT INTO products SELECT 'bulk-' || i, 'bulk ' || i, i % 100 + 0.5 FROM generate_series(1, 100) i;
  INSERT INTO customers (name, email, city)
    SELECT 'Customer ' || i, i || '@example.org', 'Ghent' FROM generate_series(1, 3000) i;
  INSERT INTO orders (customer_id, note)
    SELECT 1 + i * 7 % 3000, CASE WHEN i % 3 = 0 THEN repeat('Handle with care. ', i % 20) END
      FROM generate_series(1, ${orders}) i;
  INSERT INTO order_items
    SELECT o, line, 'thing-' || 1 + (o * 13 + line) % 900, line
      FROM generate_series(1, ${orders}) o, generate_series(1, 2) line`

/** The shop of config/orders, filled with some 34,000 rows. */
export async function makeShop(url: string): Promise<Subject> {
  const client = new Client(url)
  client.on('error', () => {}) // Whatever is asked next reports it.
  await client.connect()
  await client.query("SET TimeZone = 'UTC'")
  await new Shop(client, 0).create()
  await client.query(rows)
  return {
    ...{ connector: 'db', slot: 'millrace_shop_db', client, reusesIds: false },
    tables: ['public.orders', 'public.order_items', 'public.products'],
    expected: () => expected(client),
    placeLast: () => placeLast(client),
    trim: () => trim(client),
    async vanish(part) {
      await client.query('DELETE FROM orders WHERE id % 7 = $1', [part])
      const move = 'UPDATE order_items SET line = line + 100 WHERE order_id % 7 = ($1 + 1) % 7'
      await client.query(move, [part])
    },
  }
}

/** Ids go on: none is used twice. */
async function trim(client: Client): Promise<void> {
  await client.query("DELETE FROM orders WHERE note IN ('large', 'the end')")
  await client.query(
    'DELETE FROM orders WHERE id <= (SELECT id FROM orders ORDER BY id DESC OFFSET $1 LIMIT 1)',
    [orders],
  )
}

async function placeLast(client: Client): Promise<string> {
  const { rows } = await client.query(
    "INSERT INTO orders (customer_id, note) VALUES (1, 'the end') RETURNING id",
  )
  return String(rows[0].id)
}

/** As a user would who starts over. The server may take a moment to notice that a reader died. */
export async function dropSlot({ client, slot }: Subject): Promise<void> {
  for (let attempt = 0; ; attempt++) {
    const drop =
      'SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = $1'
    const error = await client.query(drop, [slot]).then(
      () => undefined,
      (error) => error,
    )
    if (error === undefined) return
    if (attempt === 100) throw error
    await sleep(50)
  }
}

/** Whether somebody follows the changes by now. */
export async function isStreaming({ client, slot }: Subject): Promise<boolean> {
  const { rows } = await client.query(
    `SELECT 1 FROM pg_stat_replication JOIN pg_replication_slots ON pid = active_pid
      WHERE slot_name = $1 AND state IN ('streaming', 'catchup')`,
    [slot],
  )
  return rows.length > 0
}

/** Whether what was committed at a place in the WAL is durable, as far as the server knows. */
export async function hasRead({ client, slot }: Subject, lsn: bigint): Promise<boolean> {
  const { rows } = await client.query(
    `SELECT confirmed_flush_lsn - '0/0' >= $2 AS read
       FROM pg_replication_slots WHERE slot_name = $1`,
    [slot, String(lsn)],
  )
  return rows[0]?.read ?? false
}
