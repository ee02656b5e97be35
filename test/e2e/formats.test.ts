import { join } from 'node:path'
import { test } from 'tap'
import { cli, start } from '../launcher/child.ts'
import { ForeignClient } from '../log/kafka/foreign.ts'
import { useKafka, usePostgres } from '../support/servers/use.ts'
import { until } from './pipeline.ts'
import { inSqlite } from './targets.ts'

const configuration = `name: PREFIX
log:
  type: kafka
  brokers: BROKERS
  path: data
  registry: {url: '\${REGISTRY}'}
  format: avro
topics:
  '*.public.plain': {format: json}
connectors:
  PREFIX: {type: postgres, url: '\${DATABASE_URL}', slot.name: PREFIX, tables: ['public.*']}
views:
  overview:
    root: PREFIX.public.orders
    one: {customer: {table: PREFIX.public.plain, on: customer_id}}
sinks:
  overview: {type: sqlite, from: overview, path: shop.db, table: overview}
  orders: {type: sqlite, from: PREFIX.public.orders, path: shop.db, table: orders}
`

test('a pipeline writes Avro, reads it back, and stops at a shape that is refused', async (t) => {
  const { bootstrap, prefix } = await useKafka(t)
  const database = await usePostgres(t)
  const foreign = new ForeignClient(bootstrap)
  await database.query('CREATE TABLE plain (id int PRIMARY KEY, name text)')
  await database.query(`CREATE TABLE orders (id bigint PRIMARY KEY, customer_id int,
    total numeric(10,2), at timestamptz, doc jsonb, tags text[])`)
  await database.query("INSERT INTO plain VALUES (1, 'Ada')")
  await database.query(`INSERT INTO orders VALUES
    (9007199254740993, 1, 1.50, '2024-01-02 03:04:05.678Z', '{"a": 1.50}', '{x,y}')`)
  const folder = t.testdir({
    'pipeline.yaml': configuration.replaceAll('PREFIX', prefix).replace('BROKERS', bootstrap),
  })
  const env = { DATABASE_URL: database.url, REGISTRY: 'http://127.0.0.1:1' }
  const registry = start(cli, ['registry', 'pipeline.yaml', '--port', '0'], { cwd: folder, env })
  t.teardown(() => registry.kill('SIGKILL'))
  await registry.said(/schema registry at http/)
  env.REGISTRY = /http:[^\s,]+/.exec(registry.output())![0]

  const run = () => {
    const child = start(cli, ['run', 'pipeline.yaml'], { cwd: folder, env })
    t.teardown(() => child.kill('SIGKILL'))
    return child
  }
  const first = run()
  const stored = (table: string) => inSqlite(join(folder, 'shop.db'), table)
  const has = (table: string, count: number) => Object.keys(stored(table)).length === count
  // The two topics become visible one after the other.
  const isJoined = () => JSON.stringify(stored('overview')).includes('"Ada"') && has('orders', 1)
  await until(
    async () => isJoined(),
    () => first.output(),
  )
  const order = {
    ...{ id: 9_007_199_254_740_992, customer_id: 1, total: '1.50', doc: { a: 1.5 } },
    ...{ at: '2024-01-02T03:04:05.678Z', tags: ['x', 'y'] },
  }
  t.same(stored('orders'), { '9007199254740993': order })
  t.match(stored('overview'), { '9007199254740993': { ...order, customer: { name: 'Ada' } } })
  const subjects = (await (await fetch(`${env.REGISTRY}/subjects`)).json()) as string[]
  t.same(
    subjects.filter((subject) => subject.startsWith(`${prefix}.public.`)),
    ['key', 'value'].map((part) => `${prefix}.public.orders-${part}`),
  )
  const [plain] = await foreign.read(`${prefix}.public.plain`, 1)
  t.match(JSON.parse(String(plain!.value)), { after: { name: 'Ada' } })

  await database.query('ALTER TABLE orders ADD COLUMN note text')
  await database.query("INSERT INTO orders VALUES (2, 1, 2, now(), null, null, 'new')")
  await database.query('DELETE FROM orders WHERE id = 9007199254740993')
  const isDone = () => has('overview', 1) && has('orders', 1) && '2' in stored('orders')
  await until(
    async () => isDone(),
    () => first.output(),
  )
  t.match(stored('orders'), { 2: { note: 'new', total: '2.00' } })

  await database.query('ALTER TABLE orders ALTER COLUMN note TYPE int USING 7')
  await database.query('UPDATE orders SET total = 3')
  t.equal(await first.ended, 1, 'nothing is left to do')
  t.match(first.output(), /SCHEMA_INCOMPATIBLE: The new shape of \S+orders-value .*registry/)
  t.match(stored('orders'), { 2: { note: 'new', total: '2.00' } })
  await fetch(`${env.REGISTRY}/config/${prefix}.public.orders-value`, {
    ...{ method: 'PUT', body: '{"compatibility":"NONE"}' },
  })
  const second = run()
  const goesOn = () => (stored('orders') as Record<string, { note: unknown }>)['2']?.note === 7
  await until(
    async () => goesOn(),
    () => second.output(),
  )
  t.match(stored('orders'), { 2: { note: 7, total: '3.00' } })
  second.kill('SIGTERM')
  t.equal(await second.ended, 0, second.output())
})
