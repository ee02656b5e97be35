import t from 'tap'
import { put, remove, tombstone } from '../../support/records.ts'
import { useRedis } from '../../support/servers/use.ts'
import { application, apply, type Settings, source, startSink } from './target.ts'

const { url } = await useRedis(t)
const app = application(t, url)
t.beforeEach(() => app.flushdb())

/** A change from one row to another, as a table's topic tells it. */
function change(id: number, before: object | null, after: object | null, version: number) {
  const record =
    after === null ? remove(id, { version }) : put(id, JSON.stringify(after), { version })
  const text = Buffer.from(record.value!).toString()
  const value = text.replace('"before":null', () => `"before":${JSON.stringify(before)}`)
  return { ...record, value: Buffer.from(value) }
}

const start = (settings: Settings) => startSink(t, url, { key: undefined, ...settings })

t.test('a row is a member of the set that it names, and leaves the former one', async (t) => {
  const { sink } = await start({ as: 'set', key: 'customer:{customer}:orders' })
  const [one, two] = [
    { id: 7, customer: 1 },
    { id: 7, customer: 2 },
  ]
  t.same(await apply(sink, [change(7, null, one, 1), change(8, null, { id: 8, customer: 1 }, 1)]), [
    'applied',
    'applied',
  ])
  t.same((await app.smembers('customer:1:orders')).sort(), ['7', '8'])
  await apply(sink, [change(7, one, two, 2)])
  t.same(await app.smembers('customer:1:orders'), ['8'])
  t.same(await app.smembers('customer:2:orders'), ['7'])
  t.same(await apply(sink, [change(7, null, one, 1)]), ['stale'])
  await apply(sink, [change(7, two, { id: 7, customer: null }, 3)])
  t.equal(await app.exists('customer:2:orders'), 0)
  t.match(await apply(sink, [put(9, { id: 9 }, { version: 9 })]), [{ code: 'no_column' }])
  await sink.clear(source)
  t.same((await app.keys('*customer*')).sort(), [])
})

t.test('of a batch the last set counts', async (t) => {
  const { sink } = await start({ as: 'set', key: 'c:{c}' })
  await apply(sink, [
    change(1, null, { c: 1 }, 1),
    change(1, { c: 1 }, { c: 2 }, 2),
    change(1, { c: 2 }, { c: 1 }, 3),
    change(2, null, { c: 2 }, 3),
    change(2, { c: 2 }, null, 4),
    tombstone(2, { version: 4 }),
  ])
  t.same(await app.smembers('c:1'), ['1'])
  t.same(await app.smembers('c:2'), [])
})

t.test('a sorted set takes numbers and times as scores', async (t) => {
  const { sink } = await start({ as: 'zset', key: 'recent', score: 'at', member: 'o-{id}' })
  await apply(sink, [
    change(1, null, { at: '2026-01-02T00:00:00Z' }, 1),
    change(2, null, { at: 12.5 }, 1),
  ])
  t.match(await apply(sink, [change(3, null, { at: 'noon' }, 1)]), [{ code: 'no_score' }])
  t.same(await app.zrange('recent', '0', '-1', 'WITHSCORES'), [
    'o-2',
    '12.5',
    'o-1',
    '1767312000000',
  ])
  await app.set('plain', 'x')
  const { sink: other } = await startSink(t, url, { as: 'set', key: 'plain' }, 'other')
  t.match(await apply(other, [change(1, null, {}, 1)]), [{ code: 'WRONGTYPE' }])
})

t.test('a stream holds every change once and in order, however often it is told', async (t) => {
  const { sink } = await start({ as: 'stream', key: 'log:{shop}', batchKeys: 2 })
  const records = [1, 2, 3, 4, 5].map((version) => change(1, null, { shop: 'a', version }, version))
  t.same(await apply(sink, records.slice(0, 3)), ['applied', 'applied', 'applied'])
  t.same(await apply(sink, records), ['stale', 'stale', 'stale', 'applied', 'applied'])
  const entries = await app.xrange('log:a', '-', '+')
  t.same(
    entries.map(([id]) => id),
    ['1-0', '2-0', '3-0', '4-0', '5-0'],
  )
  t.same(
    entries[4]![1].filter((_, i) => i % 2 === 0),
    ['op', 'ts_ms', 'key', 'before', 'after'],
  )
  t.equal(entries[4]![1].at(-1), '{"shop":"a","version":5}')
  await app.xadd('log:b', '*', 'not', 'ours')
  t.match(await apply(sink, [change(2, null, { shop: 'b' }, 9)]), [{ code: 'WRONGTYPE' }])
})

t.test('a message is told once it has happened, and history is not', async (t) => {
  const listener = application(t, url)
  const heard: string[] = []
  listener.on('message', (channel, text) => heard.push(`${channel} ${text}`))
  await listener.subscribe('orders:1')
  const { sink } = await start({ as: 'publish', channel: 'orders:{c}' })
  const now = { ...change(1, { c: 1 }, { c: 1, n: 2 }, 5), timestamp: Date.now() + 1000 }
  t.same(await apply(sink, [change(1, null, { c: 1 }, 1), now], 'here'), ['filtered', 'applied'])
  await app.publish('orders:1', 'end')
  while (!heard.includes('orders:1 end')) await listener.ping()
  t.match(JSON.parse(heard[0]!.slice(9)), {
    op: 'u',
    version: '5',
    key: { id: 1 },
    after: { n: 2 },
  })
  t.equal(heard.length, 2)
  t.equal(await sink.resume(source), 'here')
})

t.test('an invalidation removes the keys of the old row and of the new one', async (t) => {
  const { sink } = await start({
    as: 'invalidate',
    keys: ['order:{id}', 'customer:{customer}:orders'],
    channel: 'gone',
  })
  const keys = ['order:1', 'customer:1:orders', 'customer:2:orders', 'customer:3:orders', 'order:2']
  for (const key of keys) await app.set(key, 'cached')
  const rows = [1, 2, 3].map((customer) => ({ id: 1, customer }))
  const records = [change(1, rows[0]!, rows[1]!, 1), change(1, rows[1]!, rows[2]!, 2)]
  t.same(await apply(sink, records), ['applied', 'applied'])
  t.same(await app.exists(...keys), 1, 'all but the other order')
  await app.set('order:1', 'filled since')
  t.same(await apply(sink, records), ['applied', 'applied'], 'what is new counts again')
  await app.set('order:1', 'filled since')
  t.same(await apply(sink, [records[0]!]), ['applied'], 'only the first customer is as new')
  t.equal(await app.get('order:1'), 'filled since')
  t.same(await apply(sink, [change(5, null, { id: null, customer: null }, 3)]), ['filtered'])
})

t.test('a value never leads out of the prefix', async (t) => {
  const { sink } = await start({ as: 'invalidate', keys: ['a:{x}'] })
  await app.set('b', '1')
  await apply(sink, [put(1, { x: '../b' }), put(2, { x: '*' }), put(3, { x: '}\nb' })])
  t.equal(await app.get('b'), '1')
  for (const key of await app.keys('*')) t.match(key, /^(b$|millrace:(v\{a:|l\{a:|\{shop))/)
})

t.test('what the topic tells of no more is swept after a fill', async (t) => {
  const { sink } = await startSink(t, url)
  await apply(sink, [put(1, { n: 1 }), put(2, { n: 2 }), put(3, { n: 3 })], 'here')
  await sink.commit({ source, position: 'here' as never, timestamp: 1 })
  const marker = (await app.keys('millrace:*:marker'))[0]!
  await app.del(marker)
  await app.set('order:9', 'not ours')
  t.equal(await sink.resume(source), undefined, 'another Redis, for all we know')
  await apply(sink, [put(1, { n: 1 })], 'early')
  t.same((await app.keys('order:*')).length, 4, 'nothing goes while it is filled')
  await apply(sink, [put(3, { n: 4 }, { version: 4 })], 'end')
  await sink.commit({ source, position: 'end' as never, timestamp: 1 })
  t.same((await app.keys('order:*')).sort(), ['order:1', 'order:3', 'order:9'])
  t.same(await apply(sink, [put(2, { n: 0 }, { version: 0 })]), ['stale'], 'a late request')
})
