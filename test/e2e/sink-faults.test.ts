import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { type Test, test } from 'tap'
import type { PartStatus } from '../../src/launcher/inspect/status.ts'
import { useElasticsearch, usePostgres, useRedis } from '../support/servers/use.ts'
import { begin, recordsOf, until } from './pipeline.ts'
import { type Documents, flushAll, inIndex, inRedis, inSqlite } from './targets.ts'

/** A shop of three orders, and a pipeline with these sinks. */
async function prepare(t: Test, sinks: string) {
  const database = await usePostgres(t)
  await database.query(`
    CREATE TABLE orders (id int PRIMARY KEY, label text);
    INSERT INTO orders SELECT i, i FROM generate_series(1, 3) i`)
  const folder = t.testdir({
    'pipeline.yaml': `name: shop
connectors:
  db:
    type: postgres
    url: \${DATABASE_URL}
    slot.name: \${SLOT}
    tables: [public.orders]
sinks:
${sinks}`,
  })
  const env = { DATABASE_URL: database.url, SLOT: database.database }
  const rows = async (): Promise<Documents> => {
    const found = await database.query<{ id: number }>('SELECT id, label FROM orders ORDER BY id')
    return Object.fromEntries(found.map((row) => [String(row.id), row]))
  }
  return { database, folder, env, rows }
}

/** Waits until a target holds exactly what is wanted. */
async function untilSame(found: () => Documents | Promise<Documents>, wanted: Documents) {
  const ids = Object.keys(wanted)
  await until(
    async () => {
      const documents = await found()
      return (
        Object.keys(documents).length === ids.length &&
        ids.every((id) => JSON.stringify(documents[id]) === JSON.stringify(wanted[id]))
      )
    },
    async () => JSON.stringify(await found()),
  )
}

test('a document that Elasticsearch refuses waits as a dead letter, and others go on', async (t) => {
  const { url } = await useElasticsearch(t)
  const { database, folder, env } = await prepare(
    t,
    `  search:
    type: elasticsearch
    from: db.public.orders
    url: ${url}
    index: \${SLOT}
    mapping: {label: {type: integer}}
`,
  )
  t.teardown(() => fetch(`${url}/${env.SLOT}`, { method: 'DELETE' }))
  const running = await begin(t, { folder, env })
  await database.query("INSERT INTO orders VALUES (4, 'not a number'), (5, '5')")
  await database.query("INSERT INTO orders VALUES (6, '6')")
  const found = () => inIndex(url, env.SLOT)
  await until(async () => (await found())['6'] !== undefined)
  t.same(Object.keys(await found()).sort(), ['1', '2', '3', '5', '6'])

  t.match(await running.until('search', ({ dead }) => dead > 0), { state: 'running', dead: 1 })
  const { topics } = await running.log.describe()
  const letters = topics.find(({ topic }) => topic.endsWith('.dlq'))!
  t.match(letters.topic, 'db.public.orders')
  const [letter] = await recordsOf(running.log, letters.topic, 1)
  t.equal(String(letter!.key), '{"id":4}')
  t.match(String(letter!.value), 'not a number')
  t.match(letter!.headers, {
    '__connect.errors.exception.class.name': /parsing_exception/,
    '__connect.errors.exception.message': /label/,
  })

  await database.query("UPDATE orders SET label = '4' WHERE id = 4")
  await until(async () => (await found())['4'] !== undefined)
  t.same((await found())['4'], { id: 4, label: '4' }, 'a later version of it goes on')
})

test('every record of a topic is counted once, wherever it went', async (t) => {
  const { url } = await useElasticsearch(t)
  const { database, folder, env } = await prepare(
    t,
    `  search:
    type: elasticsearch
    from: db.public.orders
    url: ${url}
    index: \${SLOT}
    mapping: {label: {type: integer}}
`,
  )
  t.teardown(() => fetch(`${url}/${env.SLOT}`, { method: 'DELETE' }))
  const running = await begin(t, { folder, env })
  const adds = ({ records, applied, stale, coalesced, filtered, dead }: PartStatus) =>
    applied + stale + coalesced + filtered + dead === records
  for (let round = 0; round < 20; round++) {
    await database.query(`
      INSERT INTO orders SELECT i, i FROM generate_series(100, 140) i ON CONFLICT (id) DO NOTHING;
      UPDATE orders SET label = '${round}' WHERE id < 120;
      UPDATE orders SET label = 'no number' WHERE id = ${120 + round};
      DELETE FROM orders WHERE id > 130`)
    t.ok(adds(await running.part('search')))
  }
  const { dead, pending, records, topics } = await running.until(
    'search',
    (part) => part.dead >= 11 && part.pending === 0,
  )
  const known = (await running.log.describe()).topics.find(({ topic }) => topic === topics[0])!
  t.equal(records, Number(known.partitions[0]!.end), 'as many as the topic has')
  t.same([dead, pending], [11, 0], 'those of the rows that stayed')
})

test('an index that disappears while it is written is made and filled again', async (t) => {
  const { url } = await useElasticsearch(t)
  const { database, folder, env, rows } = await prepare(
    t,
    `  search: {type: elasticsearch, from: db.public.orders, url: "${url}", index: "\${SLOT}"}
`,
  )
  t.teardown(() => fetch(`${url}/${env.SLOT}`, { method: 'DELETE' }))
  const running = await begin(t, { folder, env })
  await untilSame(() => inIndex(url, env.SLOT), await rows())
  await fetch(`${url}/${env.SLOT}`, { method: 'DELETE' })
  await database.query("DELETE FROM orders WHERE id = 1; INSERT INTO orders VALUES (9, 'nine')")
  await untilSame(() => inIndex(url, env.SLOT), await rows())
  t.match(await running.part('search'), { state: 'running', dead: 0 })
})

test('a Redis that is flushed is filled again', async (t) => {
  const redis = await useRedis(t, {})
  const { database, folder, env, rows } = await prepare(
    t,
    `  cache: {type: redis, from: db.public.orders, url: "${redis.url}", key: "order:{id}"}
`,
  )
  const running = await begin(t, { folder, env })
  const found = () => inRedis(redis.url, 'order:')
  await untilSame(found, await rows())
  await flushAll(redis.url)
  await database.query("UPDATE orders SET label = 'changed' WHERE id = 2")
  await untilSame(found, await rows())
  t.match(await running.part('cache'), { state: 'running', dead: 0 })
})

test('a SQLite file that is deleted is made and filled again', async (t) => {
  const { database, folder, env, rows } = await prepare(
    t,
    `  local: {type: sqlite, from: db.public.orders, path: shop.db, table: orders}
`,
  )
  const running = await begin(t, { folder, env })
  const file = join(folder, 'shop.db')
  const found = () => inSqlite(file, 'orders')
  await untilSame(found, await rows())
  for (const end of ['', '-wal', '-shm']) rmSync(`${file}${end}`, { force: true })
  await database.query("DELETE FROM orders WHERE id = 3; INSERT INTO orders VALUES (7, 'seven')")
  await untilSame(found, await rows())
  t.match(await running.part('local'), { state: 'running', dead: 0 })
})
