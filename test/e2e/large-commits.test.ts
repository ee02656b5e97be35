import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { test } from 'tap'
import { usePostgres } from '../support/servers/use.ts'
import { begin, until } from './pipeline.ts'
import { inSqlite } from './targets.ts'

const configuration = `name: shop
connectors:
  db:
    type: postgres
    url: \${DATABASE_URL}
    slot.name: \${SLOT}
    tables: [public.orders, public.items]
sinks:
  orders: {type: sqlite, from: db.public.orders, path: shop.db, table: orders}
  items: {type: sqlite, from: db.public.items, path: shop.db, table: items}
`

test('rows of megabytes and commits of many batches arrive whole, also over a crash', async (t) => {
  const database = await usePostgres(t, {})
  const { query } = database
  await query(`
    CREATE TABLE orders (id int PRIMARY KEY, note text);
    CREATE TABLE items (id int PRIMARY KEY, note text);
    INSERT INTO orders VALUES (1, 'before')`)
  const folder = t.testdir({ 'pipeline.yaml': configuration })
  const env = { DATABASE_URL: database.url, SLOT: database.database }
  const running = await begin(t, { folder, env })
  const documents = (table: string) => inSqlite(join(folder, 'shop.db'), table)
  await until(() => documents('orders')['1'] !== undefined)

  await query(`
    BEGIN;
    TRUNCATE orders, items;
    INSERT INTO items SELECT i, repeat('i', 300) FROM generate_series(1, 20000) i;
    INSERT INTO orders SELECT i, repeat(md5(i::text), 150000) FROM generate_series(1, 3) i;
    UPDATE items SET id = -id WHERE id % 1000 = 0;
    COMMIT`)
  await database.server!.kill()
  await running.until('db', ({ state }) => state === 'retrying')
  t.match((await running.part('db')).reason, /^CONNECTION_LOST/)
  await database.server!.restart()
  await query("INSERT INTO orders VALUES (4, 'after')")

  await until(
    () => documents('orders')['4'] !== undefined,
    async () => JSON.stringify(await running.part('db')),
  )
  const digest = 'SELECT id, md5(note) AS digest FROM orders ORDER BY id'
  t.same(Object.values(documents('orders')).map(digested), await query(digest))
  const items = Object.values(documents('items')) as { id: number }[]
  const ids = await query<{ id: number }>('SELECT id FROM items ORDER BY id')
  t.same(
    items.map(({ id }) => id).toSorted((a, b) => a - b),
    ids.map(({ id }) => id),
  )
  t.match(await running.part('db'), { state: 'running', reason: null })
})

function digested(document: unknown) {
  const { id, note } = document as { readonly id: number; readonly note: string }
  return { id, digest: createHash('md5').update(note).digest('hex') }
}
