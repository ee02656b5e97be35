import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { put, remove } from '../../support/records.ts'
import { ask, startRedis } from '../../support/servers/redis.ts'
import { useRedis } from '../../support/servers/use.ts'
import { until } from './cluster.ts'
import { application, apply, openSink, source, startSink } from './target.ts'

const end = { source, position: 'end' as never, timestamp: 1 }

t.test(
  'a replica that is promoted without the last writes is filled again, and swept',
  async (t) => {
    const primary = await useRedis(t, {})
    const replica = await useRedis(t, { args: ['--replicaof', '127.0.0.1', String(primary.port)] })
    const standby = application(t, replica.url)
    const { sink } = await startSink(t, primary.url)
    const early = [put(1, { n: 1 }), put(2, { n: 2 }), put(3, { n: 3 })]
    await apply(sink, early, 'early')
    await until(async () => (await standby.exists('order:3')) === 1)
    await standby.replicaof('NO', 'ONE')
    const late = [put(1, { n: 4 }, { version: 2 }), remove(2, { version: 3 })]
    await apply(sink, late, 'late')
    await primary.server!.kill()
    await t.rejects(apply(sink, []), { code: 'CONNECTION_LOST' })
    const promoted = openSink(t, replica.url)
    t.equal(await promoted.resume(source), undefined, 'its checkpoint is not trusted')
    // As a compacted topic would tell it: the delete is gone with its row.
    await apply(promoted, [early[2]!, late[0]!], 'end')
    await promoted.commit(end)
    t.same((await standby.keys('order:*')).sort(), ['order:1', 'order:3'])
    t.equal(await standby.get('order:1'), '{"n":4}')
  },
)

t.test('a restart that lost its last second is filled again', async (t) => {
  const args = ['--appendonly', 'yes', '--appendfsync', 'everysec']
  const { url, server } = await useRedis(t, { args })
  const { sink } = await startSink(t, url)
  for (let version = 1; version < 200; version++) {
    await apply(sink, [put(version % 20, { version }, { version })], String(version))
  }
  await server!.kill()
  await server!.restart()
  t.equal(await sink.resume(source), undefined)
  for (let version = 1; version < 200; version++) {
    await apply(sink, [put(version % 20, { version }, { version })], String(version))
  }
  const app = application(t, url)
  for (let id = 0; id < 20; id++) {
    const newest = Math.floor((199 - id) / 20) * 20 + id
    t.equal(await app.get(`order:${id}`), `{"version":${newest}}`)
  }
})

t.test(
  'an instance that was stopped in the middle writes nothing old when it goes on',
  async (t) => {
    const { url } = await useRedis(t)
    const { sink: stopped } = await startSink(t, url)
    await apply(stopped, [put(1, { n: 1 }), put(2, { n: 2 })], 'here')
    const { sink: next } = await startSink(t, url)
    await apply(next, [put(1, { n: 5 }, { version: 5 }), remove(2, { version: 5 })], 'there')
    const late = [put(1, { n: 2 }, { version: 2 }), put(2, { n: 2 }, { version: 2 })]
    await t.rejects(apply(stopped, late, 'late'), { code: 'FENCED' })
    const app = application(t, url)
    t.equal(await app.get('order:1'), '{"n":5}')
    t.equal(await app.exists('order:2'), 0)
  },
)

t.test('Sentinels lead to the primary, also after a failover', async (t) => {
  const primary = await useRedis(t, {})
  const replica = await useRedis(t, { args: ['--replicaof', '127.0.0.1', String(primary.port)] })
  const sentinel = await startSentinel(primary.port)
  t.teardown(() => sentinel.stop())
  const at = `redis://127.0.0.1:${sentinel.port}`
  const client = application(t, at)
  await until(async () => {
    const [found] = (await client.call('SENTINEL', 'REPLICAS', 'orders')) as unknown[]
    return found !== undefined
  })
  const sink = openSink(t, 'redis://orders/0', { sentinels: [`127.0.0.1:${sentinel.port}`] })
  await sink.resume(source)
  await apply(sink, [put(1, { n: 1 })], 'here')
  await primary.server!.kill()
  await t.rejects(apply(sink, []), { code: 'CONNECTION_LOST' })
  await until(async () => (await sink.resume(source)) === undefined)
  t.same(await apply(sink, [put(1, { n: 2 }, { version: 2 })], 'there'), ['applied'])
  t.equal(await application(t, replica.url).get('order:1'), '{"n":2}')
  const none = openSink(t, 'redis://nobody/0', { sentinels: [`127.0.0.1:${sentinel.port}`] })
  await t.rejects(none.resume(source), { code: 'CONNECTION_LOST' })
})

/** A Sentinel that watches a primary by the name `orders`, and decides alone. */
async function startSentinel(primary: number) {
  const folder = t.testdir({
    'sentinel.conf': `sentinel monitor orders 127.0.0.1 ${primary} 1
sentinel down-after-milliseconds orders 1000
sentinel failover-timeout orders 5000
`,
  })
  const server = await startRedis({ sentinel: `${folder}/sentinel.conf` })
  while ((await ask(server.port, 'PING')) !== '+PONG') await sleep(50)
  return server
}
