import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { batch, put, remove } from '../../support/records.ts'
import { useRedis } from '../../support/servers/use.ts'
import { application, apply, openSink, source, startSink } from './target.ts'

t.test('an application reads plain JSON by GET', async (t) => {
  const { url } = await useRedis(t)
  const { sink } = await startSink(t, url)
  await apply(sink, [put(7, '{"id":7,"total":12.50}')])
  t.equal(await application(t, url).get('order:7'), '{"id":7,"total":12.50}')
})

t.test('a hash holds a field for each column, and none of an older state', async (t) => {
  const { url } = await useRedis(t)
  const { sink } = await startSink(t, url, { as: 'hash' })
  const app = application(t, url)
  await apply(sink, [
    put(1, { id: 1, gone: 'x', name: 'a "b"', items: [1, { x: null }], no: null }),
  ])
  t.same(await app.hgetall('order:1'), {
    id: '1',
    gone: 'x',
    name: 'a "b"',
    items: '[1,{"x":null}]',
  })
  await apply(sink, [put(1, '{"id":9007199254740993,"yes":true}', { version: 2 })])
  t.same(await app.hgetall('order:1'), { id: '9007199254740993', yes: 'true' })
  await apply(sink, [remove(1, { version: 3 })])
  t.equal(await app.exists('order:1'), 0)
})

t.test('a hash takes a row of thousands of columns', async (t) => {
  const { url } = await useRedis(t)
  const { sink } = await startSink(t, url, { as: 'hash', ttlMs: 600_000 })
  const row = Object.fromEntries(Array.from({ length: 5000 }, (_, i) => [`c${i}`, String(i)]))
  await apply(sink, [put(1, row), put(2, { a: 'after it' })])
  const app = application(t, url)
  t.same(await app.hgetall('order:1'), row)
  t.same(await app.hgetall('order:2'), { a: 'after it' })
  t.ok((await app.pttl('order:1')) > 0)
})

t.test(
  'a document that no hash can hold is refused, and the next older one is tried',
  async (t) => {
    const { url } = await useRedis(t)
    const { sink } = await startSink(t, url, { as: 'hash' })
    const outcomes = await apply(sink, [
      put(1, { name: 'a' }),
      put(1, { name: null }, { version: 2 }),
      put(2, { name: 'b' }),
    ])
    t.match(outcomes, ['applied', { code: 'no_fields' }, 'applied'])
    t.same(await application(t, url).hgetall('order:1'), { name: 'a' })
  },
)

t.test('a key of another type is refused, left alone, and stops no other', async (t) => {
  const { url } = await useRedis(t)
  const app = application(t, url)
  await app.rpush('order:2', 'not ours')
  await app.hset('millrace:v{order:4}', 'not', 'ours')
  const { sink } = await startSink(t, url)
  const records = [put(1, { n: 1 }), put(2, { n: 2 }), put(3, { n: 3 }), put(4, { n: 4 })]
  const refusal = { code: 'WRONGTYPE', reason: /order:[24]/ }
  t.match(await apply(sink, records), ['applied', refusal, 'applied', refusal])
  t.match(await apply(sink, [remove(2, { version: 2 })]), [refusal])
  t.same(await app.lrange('order:2', 0, -1), ['not ours'])
  t.same(await app.mget('order:1', 'order:3'), ['{"n":1}', '{"n":3}'])
})

t.test('versions beyond 2^53 are compared digit by digit', async (t) => {
  const { url } = await useRedis(t)
  const { sink } = await startSink(t, url)
  const app = application(t, url)
  for (const base of [2n ** 53n, 2n ** 63n, 2n ** 64n - 2n]) {
    await apply(sink, [put(1, { n: 'new' }, { version: base + 1n })])
    t.same(await apply(sink, [put(1, { n: 'old' }, { version: base })]), ['stale'])
    t.equal(await app.get('order:1'), '{"n":"new"}')
  }
})

t.test('of one commit, the later ordinal wins', async (t) => {
  const { url } = await useRedis(t)
  const { sink } = await startSink(t, url)
  await apply(sink, [put(1, { n: 10 }, { ordinal: 10 })])
  t.same(await apply(sink, [put(1, { n: 9 }, { ordinal: 9 })]), ['stale'])
  t.same(await apply(sink, [remove(1, { ordinal: 9 })]), ['stale'])
  t.same(await apply(sink, [put(1, { n: 11 }, { ordinal: 11 })]), ['applied'])
  t.equal(await application(t, url).get('order:1'), '{"n":11}')
})

t.test('more documents than a call takes are all written', async (t) => {
  const { url } = await useRedis(t)
  const { sink } = await startSink(t, url, { batchKeys: 10 })
  const records = Array.from({ length: 1234 }, (_, i) => put(i, { i }, { ordinal: i }))
  const outcomes = await apply(sink, records)
  t.ok(outcomes.every((outcome) => outcome === 'applied'))
  t.equal((await application(t, url).keys('order:*')).length, 1234)
})

t.test(
  'of a large batch the newest state of each document is left, in whatever order',
  async (t) => {
    const { url } = await useRedis(t)
    const { sink } = await startSink(t, url, { batchKeys: 7 })
    const records = Array.from({ length: 4_000 }, (_, i) => {
      const [id, version] = [i % 11, ((i * 7_919) % 4_000) + 1]
      return version % 5 === 0 ? remove(id, { version }) : put(id, { version }, { version })
    })
    const outcomes = await apply(sink, records)
    t.equal(outcomes.length, records.length)
    t.same(new Set(outcomes), new Set(['applied', 'coalesced', 'stale']))
    const app = application(t, url)
    for (let id = 0; id < 11; id++) {
      const versions = records.filter((_, i) => i % 11 === id).map(({ version }) => version)
      const newest = versions.reduce((a, b) => (a > b ? a : b))
      const expected = newest % 5n === 0n ? null : `{"version":${newest}}`
      t.equal(await app.get(`order:${id}`), expected)
    }
  },
)

t.test(
  'documents expire, their versions later, and those of deletes on their own time',
  async (t) => {
    const { url } = await useRedis(t)
    const app = application(t, url)
    const { sink } = await startSink(t, url, { ttlMs: 50_000, deleteTtlMs: 100_000 })
    await apply(sink, [put(1, { n: 1 }), put(2, { n: 2 }), remove(2, { version: 2 })])
    const within = async (key: string, least: number, most: number) => {
      const left = await app.pttl(key)
      t.ok(left > least && left <= most, `${key} lives for ${left} ms`)
    }
    await within('order:1', 0, 50_000)
    await within('millrace:v{order:1}', 100_000, 150_000)
    await within('millrace:v{order:2}', 50_000, 100_000)
    t.equal(await app.exists('order:2'), 0)
  },
)

t.test('without a time to live nothing of a living document expires', async (t) => {
  const { url } = await useRedis(t)
  const { sink } = await startSink(t, url)
  await apply(sink, [put(1, { n: 1 }), remove(1, { version: 2 }), put(1, { n: 3 }, { version: 3 })])
  await apply(sink, [remove(2)])
  await apply(sink, [put(2, { n: 3 }, { version: 3 })])
  const app = application(t, url)
  for (const key of ['order:1', 'order:2', 'millrace:v{order:1}', 'millrace:v{order:2}']) {
    t.equal(await app.pttl(key), -1, key)
  }
})

t.test('an evicted document comes back with the same record', async (t) => {
  const { url } = await useRedis(t)
  const app = application(t, url)
  const { sink } = await startSink(t, url)
  await apply(sink, [put(1, { n: 1 }, { version: 5 })])
  await app.del('order:1')
  t.same(await apply(sink, [put(1, { n: 0 }, { version: 4 })]), ['stale'])
  t.equal(await app.get('order:1'), null)
  t.same(await apply(sink, [put(1, { n: 1 }, { version: 5 })]), ['applied'])
  t.equal(await app.get('order:1'), '{"n":1}')
})

t.test('clearing removes nothing that another sink or application wrote', async (t) => {
  const { url } = await useRedis(t)
  const app = application(t, url)
  await app.set('order:theirs', 'x')
  const items = await startSink(t, url, { key: 'order:item:{}' }, 'items')
  await apply(items.sink, [put(1, { item: 1 })])
  const { sink } = await startSink(t, url)
  const records = Array.from({ length: 3000 }, (_, i) => put(i, { i }, { ordinal: i }))
  await apply(sink, [...records, put('{x}', { i: 0 }), remove('dead')])
  await sink.clear(source)
  t.same((await app.keys('*order:*')).sort(), [
    'millrace:v{order:item:1}',
    'order:item:1',
    'order:theirs',
  ])
})

t.test('another key template removes what the former one wrote, and fills anew', async (t) => {
  const { url } = await useRedis(t)
  const app = application(t, url)
  const { sink } = await startSink(t, url)
  await apply(sink, [put(1, { n: 1 })], 'here')
  await sink.close()
  const { sink: renamed, from } = await startSink(t, url, { key: 'bestellung:{id}' })
  t.equal(from, undefined)
  await apply(renamed, [put(1, { n: 1 })], 'here')
  t.same(
    (await app.keys('*')).filter((key) => key.includes('order:')),
    [],
  )
  t.equal(await app.get('bestellung:1'), '{"n":1}')
})

t.test('another form is written over the former one', async (t) => {
  const { url } = await useRedis(t)
  const { sink } = await startSink(t, url)
  await apply(sink, [put(1, { n: 1 })], 'here')
  await sink.close()
  const { sink: hashes, from } = await startSink(t, url, { as: 'hash' })
  t.equal(from, undefined)
  t.same(await apply(hashes, [put(1, { n: 1 })], 'here'), ['applied'])
  t.same(await application(t, url).hgetall('order:1'), { n: '1' })
})

t.test('two that claim the same checkpoint at once end with one owner', async (t) => {
  const { url } = await useRedis(t)
  const sinks = Array.from({ length: 4 }, () => openSink(t, url))
  await Promise.all(sinks.map((sink) => sink.resume(source)))
  const ends = await Promise.allSettled(sinks.map((sink) => apply(sink, [])))
  t.equal(ends.filter(({ status }) => status === 'fulfilled').length, 1)
  t.ok(ends.every((end) => end.status === 'fulfilled' || end.reason.code === 'FENCED'))
})

t.test('what waits for an answer when the sink is closed does not hang', async (t) => {
  const { url } = await useRedis(t)
  const { sink } = await startSink(t, url)
  const writing = sink.write(batch([put(1, { n: 1 })]))
  await Promise.all([sink.close(), writing.catch(() => {})])
  await sleep(0)
  t.pass('both settled')
})
