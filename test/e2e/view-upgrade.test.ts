import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Test, test } from 'tap'
import { usePostgres } from '../support/servers/use.ts'
import { begin, type Running, reconfigure, until } from './pipeline.ts'
import { inSqlite } from './targets.ts'

const configuration = `name: shop
connectors:
  db:
    type: postgres
    url: \${DATABASE_URL}
    slot.name: \${SLOT}
    tables: [public.orders]
views:
  orders: { root: db.public.orders, where: n > 0, compute: { x: n * 2 } }
sinks:
  local: { type: sqlite, from: orders, path: shop.db, table: orders }
`

const first = 'where: n > 0, compute: { x: n * 2 }'
const second = 'where: n < 8, compute: { x: n * 3 }'

async function prepare(t: Test) {
  const database = await usePostgres(t)
  await database.query(`create table orders (id int primary key, n int);
    insert into orders select i, i from generate_series(0, 9) i`)
  const folder = t.testdir({ 'pipeline.yaml': configuration })
  const env = { DATABASE_URL: database.url, SLOT: database.database }
  const documents = () => inSqlite(join(folder, 'shop.db'), 'orders')
  const untilDocuments = async (sql: string) => {
    let wanted = ''
    const isSo = async () => {
      const rows = await database.query<{ id: number }>(sql)
      wanted = JSON.stringify(Object.fromEntries(rows.map((row) => [row.id, row])))
      return JSON.stringify(documents()) === wanted
    }
    await until(isSo, () => `${JSON.stringify(documents())}, not ${wanted}`)
    t.ok(await isSo(), sql)
  }
  const start = () => begin(t, { folder, env })
  return { database, folder, untilDocuments, start }
}

const ofFirst = 'select id, n, n * 2 as x from orders where n > 0 order by id::text'
const ofSecond = 'select id, n, n * 3 as x from orders where n < 8 order by id::text'

const isUpgraded = async (running: Running) => {
  await until(async () => (await running.part('views.next')) === undefined)
}

test('changed views take over once they have caught up, and give way to the former again', async (t) => {
  const { database, folder, untilDocuments, start } = await prepare(t)
  const one = await start()
  await untilDocuments(ofFirst)
  await one.stop()

  reconfigure(folder, first, second)
  await database.query('update orders set n = n + 1 where id < 3')
  const two = await start()
  await isUpgraded(two)
  await untilDocuments(ofSecond)
  await database.query('delete from orders where id = 4; update orders set n = 20 where id = 5')
  await untilDocuments(ofSecond)
  await two.stop()

  reconfigure(folder, second, first)
  const three = await start()
  await isUpgraded(three)
  await untilDocuments(ofFirst)
  const { topics } = await three.log.describe()
  t.notOk(
    topics.some(({ topic }) => topic.includes('spare')),
    'state leaves no topics',
  )
  await database.query('insert into orders values (30, 3)')
  await untilDocuments(ofFirst)
  await three.stop()

  const four = await start()
  await database.query('update orders set n = 5 where id = 30')
  await untilDocuments(ofFirst)
  t.match(await four.part('views'), { state: 'running' })
})

test('views that cannot be worked out leave the former at work', async (t) => {
  const { database, folder, untilDocuments, start } = await prepare(t)
  const one = await start()
  await untilDocuments(ofFirst)
  await one.stop()

  const wrong = 'compute: { x: 1 / (n - 7) }'
  reconfigure(folder, first, wrong)
  const two = await start()
  const { reason } = await two.until('views.next', ({ state }) => state === 'failed')
  t.match(reason, /^VIEW_FAILED: .*division by zero/)
  await database.query(
    'update orders set n = n + 100 where id > 6; insert into orders values (40, 4)',
  )
  await untilDocuments(ofFirst)
  t.match(await two.part('views'), { state: 'running' })
  await two.stop()

  reconfigure(folder, wrong, second)
  const three = await start()
  await isUpgraded(three)
  await untilDocuments(ofSecond)
})

test('a definition that cannot be had any more is replaced where it stands', async (t) => {
  const { folder, untilDocuments, start } = await prepare(t)
  const one = await start()
  await untilDocuments(ofFirst)
  await one.stop()
  t.match(readFileSync(join(folder, 'data', 'shop', 'views.json'), 'utf8'), 'n * 2')
  reconfigure(folder, first, second)
  writeFileSync(join(folder, 'data', 'shop', 'views.json'), '{"v":0}')
  const two = await start()
  t.equal(await two.part('views.next'), undefined)
  await untilDocuments(ofSecond)
})
