import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { test } from 'tap'
import { usePostgres } from '../support/servers/use.ts'
import { begin, until } from './pipeline.ts'

const pipeline = `
name: both
connectors:
  shop: {type: postgres, url: '\${SHOP}', tables: [public.orders]}
  people: {type: postgres, url: '\${PEOPLE}', tables: [public.customers]}
views:
  orders:
    root: shop.public.orders
    fields: [id, status]
    one:
      customer: {table: people.public.customers, on: customer_id, fields: [name]}
sinks:
  local: {type: sqlite, from: orders, path: local.sqlite, table: orders}
`

test('a view joins tables of two databases, whichever of them changes', async (t) => {
  const [shop, people] = [await usePostgres(t), await usePostgres(t)]
  await shop.query(`CREATE TABLE orders (id int PRIMARY KEY, customer_id int, status text);
    INSERT INTO orders VALUES (1, 7, 'new')`)
  await people.query(`CREATE TABLE customers (id int PRIMARY KEY, name text);
    INSERT INTO customers VALUES (7, 'Ann')`)
  const folder = t.testdir({ 'pipeline.yaml': pipeline })
  const running = await begin(t, { folder, env: { SHOP: shop.url, PEOPLE: people.url } })
  const documents = () => {
    const database = new DatabaseSync(join(folder, 'local.sqlite'), { readOnly: true })
    try {
      return database
        .prepare('SELECT doc FROM orders ORDER BY id')
        .all()
        .map(({ doc }) => String(doc))
    } catch {
      return []
    } finally {
      database.close()
    }
  }
  const becomes = (...wanted: readonly object[]) =>
    until(() => {
      return JSON.stringify(documents().map((doc) => JSON.parse(doc))) === JSON.stringify(wanted)
    }, documents)
  await running.until('local', ({ state }) => state === 'running')
  await becomes({ id: 1, status: 'new', customer: { name: 'Ann' } })
  await people.query("UPDATE customers SET name = 'Anna'")
  await becomes({ id: 1, status: 'new', customer: { name: 'Anna' } })
  await shop.query(
    "INSERT INTO orders VALUES (2, 7, 'paid'); UPDATE orders SET customer_id = 8 WHERE id = 1",
  )
  await becomes(
    { id: 1, status: 'new', customer: null },
    { id: 2, status: 'paid', customer: { name: 'Anna' } },
  )
  await people.query("INSERT INTO customers VALUES (8, 'Bob'); DELETE FROM customers WHERE id = 7")
  await becomes(
    { id: 1, status: 'new', customer: { name: 'Bob' } },
    { id: 2, status: 'paid', customer: null },
  )
  t.pass('each change has come through')
})
