import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { test } from 'tap'
import { Random } from '../crash/random.ts'
import { cli, start } from '../launcher/child.ts'
import { usePostgres } from '../support/servers/use.ts'
import { reconfigure, until } from './pipeline.ts'
import { inSqlite } from './targets.ts'

const definitions = [
  'where: n % 3 > 0, compute: { x: n * 2 }',
  'many: { twins: { table: db.public.orders, on: twin, fields: [id] } }, compute: { x: size(twins) }',
  'compute: { x: n - 1 }',
]

const wanted = [
  'select id, n, twin, n * 2 as x from orders where n % 3 > 0',
  `select id, n, twin, coalesce((select jsonb_agg(jsonb_build_object('id', t.id) order by id)
     from orders t where t.twin = o.id), '[]') as twins,
     (select count(*)::int from orders t where t.twin = o.id) as x from orders o`,
  'select id, n, twin, n - 1 as x from orders',
]

const configuration = `name: shop
connectors:
  db:
    type: postgres
    url: \${URL}
    slot.name: \${SLOT}
    tables: [public.orders]
views:
  orders: { root: db.public.orders, ${definitions[0]} }
sinks:
  local: { type: sqlite, from: orders, path: shop.db, table: orders }
`

test('a process killed at any moment of a changeover comes to the same documents', async (t) => {
  const random = new Random(Number(process.env.SEED ?? 5))
  const { query, url, database } = await usePostgres(t)
  await query(`create table orders (id int primary key, n int, twin int);
    insert into orders select i, i % 100, i / 2 from generate_series(1, 3000) i`)
  const folder = t.testdir({ 'pipeline.yaml': configuration })
  const options = { cwd: folder, env: { URL: url, SLOT: database } }
  let running = start(cli, ['run', 'pipeline.yaml'], options)
  t.teardown(() => running.kill('SIGKILL'))
  const texts = (rows: readonly object[]) => new Set(rows.map((row) => JSON.stringify(row)))
  const untilEqual = async (definition: number) => {
    const different = async () => {
      const have = texts(Object.values(inSqlite(join(folder, 'shop.db'), 'orders')) as object[])
      const want = texts(await query<object>(wanted[definition]!))
      return [...want, ...have].filter((text) => !want.has(text) || !have.has(text))
    }
    const describe = async () => [running.output(), ...(await different()).slice(0, 4)].join('\n')
    await until(async () => (await different()).length === 0, describe, 60_000)
    t.same(await different(), [], `definition ${definition}`)
  }
  await untilEqual(0)
  let kills = 0
  for (const [i, to] of [1, 0, 2, 1, 2].entries()) {
    running.kill('SIGTERM')
    await running.ended
    reconfigure(folder, definitions[[0, 1, 0, 2, 1][i]!]!, definitions[to]!)
    running = start(cli, ['run', 'pipeline.yaml'], options)
    for (let left = 3; left > 0; left--) {
      await running.said(/views: (defined anew|running)/)
      await query('update orders set n = (n + 7) % 100 where id % 50 = $1', [random.below(50)])
      await query('delete from orders where id = $1', [random.below(3_000)])
      await sleep(random.below(1_500))
      running.kill('SIGKILL')
      await running.ended
      kills++
      running = start(cli, ['run', 'pipeline.yaml'], options)
    }
    await untilEqual(to)
  }
  t.comment(`${kills} kills`)
  await running.said(/views: running/)
  running.kill('SIGTERM')
  t.equal(await running.ended, 0)
})
