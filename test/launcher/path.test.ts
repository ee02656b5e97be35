import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { setTimeout as sleep } from 'node:timers/promises'
import { test } from 'tap'
import { usePostgres } from '../support/servers/use.ts'
import { cli, start } from './child.ts'

const configuration = `name: shop
connectors:
  db:
    type: postgres
    url: \${DATABASE_URL}
    slot.name: \${SLOT}
    tables: [public.customers, public.orders]
views:
  orders: {module: views.mjs}
sinks:
  search: {type: sqlite, from: orders, path: search.db}
  customers: {type: sqlite, from: db.public.customers, path: search.db}
  lines: {type: file, from: db.public.orders, path: lines.ndjson}
`

const views = `export const orders = {
  define: ({ table }) =>
    table('db.public.orders').join(table('db.public.customers'), {
      on: ({ customer }) => customer,
      select: (order, { name }) => ({ ...order, name }),
    }),
}
`

const schema = `
  CREATE TABLE customers (id int PRIMARY KEY, name text);
  CREATE TABLE orders (id int PRIMARY KEY, customer int, total int);
  INSERT INTO customers SELECT i, 'customer ' || i FROM generate_series(1, 10) i;
  INSERT INTO orders SELECT i, 1 + i % 10, i FROM generate_series(1, 100) i;`

test('rows of a real database arrive joined in every sink, over a kill as well', async (t) => {
  const { url, database, query } = await usePostgres(t)
  await query(schema)
  const folder = t.testdir({ 'pipeline.yaml': configuration, 'views.mjs': views })
  const env = { DATABASE_URL: url, SLOT: database }
  const begin = () => start(cli, ['run', 'pipeline.yaml'], { cwd: folder, env })

  const first = begin()
  t.teardown(() => first.kill('SIGKILL'))
  await first.said(/search: running/)
  await query("UPDATE customers SET name = 'changed' WHERE id = 1")
  first.kill('SIGKILL')
  await first.ended
  await query('DELETE FROM orders WHERE id = 1; UPDATE orders SET total = 0 WHERE id = 2')

  const second = begin()
  t.teardown(() => second.kill('SIGKILL'))
  const joined =
    'SELECT o.id, o.customer, o.total, c.name FROM orders o JOIN customers c ON c.id = o.customer ORDER BY 1'
  const rows = await query(joined)
  const file = join(folder, 'search.db')
  await until(() => JSON.stringify(documents(file, 'orders')) === JSON.stringify(rows))
  t.same(documents(file, 'orders'), rows)
  t.same(
    documents(file, 'customers').find(({ id }) => id === 1),
    { id: 1, name: 'changed' },
  )
  t.ok(readFileSync(join(folder, 'lines.ndjson'), 'utf8').length > 0)
  second.kill('SIGTERM')
  t.equal(await second.ended, 0)
  t.notOk(second.output().includes(url))
})

interface Document {
  readonly id: number
}

function documents(path: string, like: string): readonly Document[] {
  if (!existsSync(path)) return []
  const database = new DatabaseSync(path, { readOnly: true })
  try {
    const tables = database.prepare('SELECT name FROM sqlite_schema WHERE type = ?').all('table')
    const table = tables.map(({ name }) => String(name)).find((name) => name.endsWith(like))
    if (table === undefined) return []
    const rows = database.prepare(`SELECT doc FROM "${table}"`).all()
    const found = rows.map(({ doc }) => JSON.parse(String(doc)) as Document)
    return found.toSorted((a, b) => a.id - b.id)
  } finally {
    database.close()
  }
}

/** The test's own time limit is the only one. */
async function until(isTrue: () => boolean): Promise<void> {
  while (!isTrue()) await sleep(50)
}
