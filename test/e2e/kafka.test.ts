import { join } from 'node:path'
import { type Test, test } from 'tap'
import { type Child, cli, start } from '../launcher/child.ts'
import { type TestDatabase, useKafka, usePostgres, useRedis } from '../support/servers/use.ts'
import { until } from './pipeline.ts'
import { inSqlite } from './targets.ts'

const view = `import { defineView } from '${join(import.meta.dirname, '../../src/index.ts')}'
export const overview = defineView(({ table }) =>
  table('PREFIX.public.orders').leftJoin(table('PREFIX.public.customers'), {
    on: ({ customer_id }) => customer_id,
    select: ({ id, total }, customer) => ({ id, total, customer: customer && customer.name }),
  }))
`

const configuration = `name: PREFIX
log:
  type: kafka
  brokers: BROKERS
  path: \${DATA}
  sessionTimeoutMs: 6000
connectors:
  PREFIX:
    type: postgres
    url: \${DATABASE_URL}
    slot.name: PREFIX
    tables: [public.customers, public.orders]
views:
  overview: {module: overview.ts}
sinks:
  local: {type: sqlite, from: overview, path: '\${DATA}/shop.db', table: orders}
  cache: {type: redis, from: PREFIX.public.orders, url: '\${REDIS_URL}'}
`

interface Shop {
  readonly database: TestDatabase
  readonly folder: string
  readonly prefix: string
  run(data: string): Child
  command(...args: readonly string[]): Promise<string>
  orders(data: string): Order[]
}

async function openShop(t: Test): Promise<Shop> {
  const { bootstrap, prefix } = await useKafka(t)
  const database = await usePostgres(t)
  const redis = await useRedis(t)
  await database.query('CREATE TABLE customers (id int PRIMARY KEY, name text)')
  await database.query('CREATE TABLE orders (id int PRIMARY KEY, customer_id int, total int)')
  const fill = (text: string) => text.replaceAll('PREFIX', prefix).replace('BROKERS', bootstrap)
  const folder = t.testdir({
    'pipeline.yaml': fill(configuration),
    'overview.ts': fill(view),
  })
  const env = (data: string) => ({
    DATABASE_URL: database.url,
    REDIS_URL: redis.url,
    DATA: join(folder, data),
  })
  return {
    ...{ database, folder, prefix },
    run(data) {
      const child = start(cli, ['run', 'pipeline.yaml'], { cwd: folder, env: env(data) })
      t.teardown(() => child.kill('SIGKILL'))
      return child
    },
    async command(...args) {
      const child = start(cli, args, { cwd: folder, env: env('one') })
      await child.ended
      return child.output()
    },
    orders: (data) => readOrders(join(folder, data, 'shop.db')),
  }
}

interface Order {
  readonly id: number
  readonly total: number
  readonly customer: string
}

function readOrders(path: string): Order[] {
  const orders = Object.values(inSqlite(path, 'orders')) as Order[]
  return orders.sort((a, b) => a.id - b.id)
}

test('changes go from Postgres through Kafka and a view to SQLite and Redis', async (t) => {
  const shop = await openShop(t)
  const { database, prefix } = shop
  await database.query("INSERT INTO customers VALUES (1, 'Ada'), (2, 'Grace')")
  await database.query(
    'INSERT INTO orders SELECT i, 1 + i % 2, i * 10 FROM generate_series(1, 100) i',
  )
  const child = shop.run('one')
  await until(() => shop.orders('one').length === 100, child.output)
  await database.query('UPDATE orders SET total = 7 WHERE id = 1')
  await database.query('DELETE FROM orders WHERE id = 2')
  await database.query("UPDATE customers SET name = 'Grace H.' WHERE id = 2")
  const isSo = () => {
    const [first, second] = shop.orders('one')
    return first?.total === 7 && first.customer === 'Grace H.' && second?.id === 3
  }
  await until(isSo, () => JSON.stringify(shop.orders('one').slice(0, 3)) + child.output())
  const status = JSON.parse(await shop.command('status', 'pipeline.yaml', '--json'))
  t.match(
    status.parts.map(({ state }: { state: string }) => state),
    Array(4).fill('running'),
  )
  const tapped = await shop.command('tap', `${prefix}.overview`, 'pipeline.yaml', '--limit', '1')
  t.match(tapped, /"customer":"(Ada|Grace)/)
  child.kill('SIGTERM')
  t.equal(await child.ended, 0, child.output())
})

test('a second instance stands by, and takes over from one that dies', async (t) => {
  const shop = await openShop(t)
  const { database } = shop
  await database.query("INSERT INTO customers VALUES (1, 'Ada')")
  const first = shop.run('one')
  await database.query('INSERT INTO orders VALUES (1, 1, 10)')
  await until(() => shop.orders('one').length === 1, first.output)
  const second = shop.run('two')
  await second.said(/SLOT_IN_USE/)
  await database.query('INSERT INTO orders VALUES (2, 1, 20)')
  await until(() => shop.orders('one').length === 2, first.output)
  first.kill('SIGKILL')
  await database.query('INSERT INTO orders VALUES (3, 1, 30)')
  await until(() => shop.orders('two').length === 3, second.output, 60_000)
  t.same(
    shop.orders('two'),
    [1, 2, 3].map((id) => ({ id, total: id * 10, customer: 'Ada' })),
  )
})
