import t, { type Test } from 'tap'
import { redis } from '../../../sinks/redis/index.ts'
import type { Finding } from '../../../src/core/plugin.ts'
import { put, remove } from '../../support/records.ts'
import type { RedisFlavor } from '../../support/servers/redis-binaries.ts'
import { useRedis } from '../../support/servers/use.ts'
import { application, apply, source, startSink } from './target.ts'

async function startJson(t: Test, flavor: RedisFlavor, settings = {}) {
  const { url } = await useRedis(t, { flavor, json: true })
  const { sink } = await startSink(t, url, { as: 'json', ...settings })
  return { url, sink, app: application(t, url) }
}

for (const flavor of ['redis7', 'redis8'] as const) {
  t.test(`${flavor}: a document is JSON whose parts can be asked for`, async (t) => {
    const { sink, app } = await startJson(t, flavor)
    const row = '{"id":1,"big":9007199254740993,"tags":["a","é"],"none":null,"nest":{"x":[1,{}]}}'
    t.same(await apply(sink, [put(1, row)]), ['applied'])
    t.same(await app.call('JSON.GET', 'order:1'), row)
    t.equal(await app.call('JSON.GET', 'order:1', '.tags[1]'), '"é"')
    t.same(await apply(sink, [put(1, { id: 1, gone: true }, { version: 3 })]), ['applied'])
    t.equal(await app.call('JSON.GET', 'order:1'), '{"id":1,"gone":true}')
    t.same(await apply(sink, [put(1, row, { version: 2 })]), ['stale'])
    t.same(await apply(sink, [remove(1, { version: 4 })]), ['applied'])
    t.equal(await app.exists('order:1'), 0)
    t.same(await apply(sink, [put(1, row, { version: 3 })]), ['stale'], 'the delete is remembered')
  })

  t.test(`${flavor}: what the JSON module refuses is refused alone`, async (t) => {
    const { sink, app } = await startJson(t, flavor)
    const deep = `${'['.repeat(500)}${']'.repeat(500)}`
    const records = [
      put(1, { n: 1 }),
      put(2, { n: 'before' }),
      put(2, `{"n":${deep}}`, { version: 2 }),
      put(3, { n: 3 }),
    ]
    const refusal = { code: 'json_rejected', reason: /nested/ }
    t.match(await apply(sink, records), ['applied', 'applied', refusal, 'applied'])
    t.equal(await app.call('JSON.GET', 'order:2'), '{"n":"before"}')
    await app.set('order:4', 'text of others')
    t.match(await apply(sink, [put(4, {})]), [{ code: 'WRONGTYPE' }])
    t.equal(await app.get('order:4'), 'text of others')
  })

  t.test(`${flavor}: JSON documents expire, and are cleared`, async (t) => {
    const { sink, app } = await startJson(t, flavor, { ttlMs: 50_000 })
    await apply(sink, [put(1, { n: 1 }), put(2, { n: 2 })], 'here')
    t.ok((await app.pttl('order:1')) > 0)
    await sink.clear(source)
    t.same(await app.keys('*order:*'), [])
  })
}

t.test('a server without the JSON module is found out before anything is written', async (t) => {
  const { url } = await useRedis(t, { flavor: 'redis7' })
  const found: Finding[] = []
  const options = redis.options.parse({ url, as: 'json', key: 'order:{}' })
  for await (const finding of redis.check(options)) found.push(finding)
  t.match(found.at(-1), { level: 'error', what: /JSON\.GET/ })
  const { sink } = await startSink(t, url, { as: 'json' })
  const missing = { code: 'TARGET_MISCONFIGURED', message: /JSON/ }
  await t.rejects(apply(sink, [put(1, { n: 1 })]), missing)
  t.equal(await application(t, url).exists('order:1'), 0)
})
