import { join } from 'node:path'
import { Redis } from 'ioredis'
import { AssignerProtocol, Kafka, logLevel } from 'kafkajs'
import { type Test, test } from 'tap'
import { cli, start } from '../launcher/child.ts'
import { useElasticsearch, useKafka, usePostgres, useRedis } from '../support/servers/use.ts'
import { until } from './pipeline.ts'
import { type Documents, flushAll, inIndex, inRedis } from './targets.ts'

/*
 * Two instances share the four partitions of a table, and with them two targets: what one does to a
 * target that has to be filled again must not harm what the other has in it.
 */

const rows = 200
const gone = 20

const configuration = `name: PREFIX
log: {type: kafka, brokers: BROKERS, path: '\${DATA}', sessionTimeoutMs: 6000}
connectors:
  PREFIX: {type: postgres, url: '\${DATABASE_URL}', slot.name: PREFIX, tables: [public.orders]}
topics:
  __millrace.PREFIX.table.*: {partitions: 4}
sinks:
  cache: {type: redis, from: PREFIX.public.orders, url: '\${REDIS_URL}', key: 'order:{id}'}
  search: {type: elasticsearch, from: PREFIX.public.orders, url: '\${SEARCH_URL}', index: PREFIX}
`

test('two instances fill a target again that was lost, and sweep what has no row', async (t) => {
  const pair = await startPair(t)
  const { database, redis, search, index } = pair
  const untilSame = (found: () => Promise<Documents>) =>
    until(
      async () =>
        Object.keys(await found())
          .sort()
          .join() === (await pair.ids()),
      async () => `${Object.keys(await found()).length} documents\n${pair.output()}`,
      90_000,
    )
  const cached = () => inRedis(redis.url, 'order:')
  const searched = () => inIndex(search.url, index)
  await untilSame(cached)
  await untilSame(searched)
  await pair.untilShared('cache')
  await pair.untilShared('search')

  // As if these had been deleted long ago, and Redis had come back with older data.
  await plant(redis.url)
  await database.query('DELETE FROM orders WHERE id <= $1', [gone])
  await redis.server!.restart()
  await untilSame(cached)
  t.match(pair.output(), /swept \d+ that the topic tells of no more/)

  await flushAll(redis.url)
  await fetch(`${search.url}/${index}`, { method: 'DELETE' })
  await database.query('UPDATE orders SET total = total + 1')
  await untilSame(cached)
  await untilSame(searched)
  t.equal(Object.keys(await searched()).length, rows - gone)
})

/** Copies of documents under ids that no row has, in each partition some. */
async function plant(url: string): Promise<void> {
  const client = new Redis(url)
  for (let id = 1; id <= gone; id++) {
    await client.copy(`order:${id}`, `order:${1000 + id}`)
    await client.copy(`millrace:v{order:${id}}`, `millrace:v{order:${1000 + id}}`)
  }
  client.disconnect()
}

async function startPair(t: Test) {
  const { bootstrap, prefix } = await useKafka(t)
  const database = await usePostgres(t)
  const redis = await useRedis(t, { args: ['--appendonly', 'yes'] })
  const search = await useElasticsearch(t)
  await database.query('CREATE TABLE orders (id int PRIMARY KEY, total int)')
  await database.query(`INSERT INTO orders SELECT i, i FROM generate_series(1, ${rows}) i`)
  const text = configuration.replaceAll('PREFIX', prefix).replace('BROKERS', bootstrap)
  const folder = t.testdir({ 'pipeline.yaml': text })
  const children = ['one', 'two'].map((name) => {
    const env = {
      ...{ DATABASE_URL: database.url, REDIS_URL: redis.url, SEARCH_URL: search.url },
      DATA: join(folder, name),
    }
    const child = start(cli, ['run', 'pipeline.yaml'], { cwd: folder, env })
    t.teardown(() => child.kill('SIGKILL'))
    return child
  })
  const ids = async () => {
    const found = await database.query<{ id: number }>('SELECT id FROM orders')
    return found
      .map(({ id }) => String(id))
      .sort()
      .join()
  }
  const output = () => children.map((child) => child.output()).join('\n')
  const untilShared = (sink: string) => {
    const group = `${prefix}.${sink}.${prefix}.public.orders`
    const shares = () => sharesOf(bootstrap, group)
    const isShared = async () => (await shares()).join() === '2,2'
    return until(isShared, async () => `${await shares()} ${output()}`, 60_000)
  }
  return { database, redis, search, index: prefix, ids, output, untilShared }
}

/** How many partitions each member of a group has. */
async function sharesOf(bootstrap: string, group: string): Promise<readonly number[]> {
  const brokers = bootstrap.split(',')
  const admin = new Kafka({ clientId: 'look', brokers, logLevel: logLevel.NOTHING }).admin()
  await admin.connect()
  try {
    const { groups } = await admin.describeGroups([group])
    return groups[0]!.members.map(({ memberAssignment }) => {
      const decoded = AssignerProtocol.MemberAssignment.decode(memberAssignment)
      return Object.values(decoded?.assignment ?? {}).flat().length
    })
  } finally {
    await admin.disconnect()
  }
}
