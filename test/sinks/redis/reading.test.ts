import { randomBytes } from 'node:crypto'
import t, { test } from 'tap'
import { redis } from '../../../sinks/redis/index.ts'
import type { RedisOptions } from '../../../sinks/redis/options.ts'
import { readingContract } from '../../contract/reading.ts'
import { apply, source } from '../../contract/sink-steps.ts'
import { collect } from '../../support/collect.ts'
import { moved, put } from '../../support/records.ts'
import { useRedis } from '../../support/servers/use.ts'
import { application } from './target.ts'

const { url } = await useRedis(t)

/** A sink under a prefix of its own, and its reading side. */
async function make(t: Parameters<typeof application>[0], more: Partial<RedisOptions> = {}) {
  const prefix = `${randomBytes(4).toString('hex')}:`
  const { as = 'string' } = more
  const key = as === 'string' || as === 'hash' || as === 'json' ? '{}' : '{c}'
  const place = as === 'invalidate' ? { keys: [prefix + key] } : { key: prefix + key }
  const options = redis.options.parse({ url, ...place, ...more })
  const pipeline = prefix.slice(0, -1)
  const context = { pipeline, name: 'cache', topic: 'orders', partition: 0, say: () => {} }
  const sink = redis.open(options, context)
  const reading = redis.read!(options, context)
  t.teardown(async () => {
    await sink.close()
    await reading.close()
  })
  return { sink, reading, prefix }
}

readingContract('redis, read back,', make)
readingContract('redis as hashes, read back,', (t) => make(t, { as: 'hash' }))
readingContract('redis as JSON, read back,', async (t) => {
  const { url } = await useRedis(t, { flavor: 'redis8', json: true })
  return make(t, { as: 'json', url })
})

test('what others keep under the same prefix is none of ours', async (t) => {
  const { sink, reading, prefix } = await make(t)
  await sink.resume(source)
  await apply(sink, [put('1', { n: 1 }), put('2', { n: 2 })])
  const others = application(t, url)
  await others.set(`${prefix}3`, '{}')
  await others.set(`millrace:v{${prefix}4}`, 'no stamp')
  const ids = (await collect(reading.all())).map(({ id }) => id)
  t.same([...new Set(ids)].sort(), [`${prefix}1`, `${prefix}2`])
  await others.del(`${prefix}1`)
  t.match(await reading.some([`${prefix}1`, `${prefix}3`]), [{ id: `${prefix}1`, doc: null }])
})

test('a hash is compared as what it holds: texts, and no nulls', async (t) => {
  const { sink, reading, prefix } = await make(t, { as: 'hash' })
  await sink.resume(source)
  const row = '{"n":1,"s":"a","none":null,"nest":{"x":[1]},"yes":true}'
  await apply(sink, [put('1', row)])
  const [found] = await reading.some([`${prefix}1`])
  t.same(JSON.parse(found!.doc!), JSON.parse(reading.render!(Buffer.from(row))))
  t.match(JSON.parse(found!.doc!), { n: '1', s: 'a', nest: '{"x":[1]}', yes: 'true' })
})

test('JSON is compared with the numbers that the module keeps', async (t) => {
  const { url } = await useRedis(t, { flavor: 'redis8', json: true })
  const { sink, reading, prefix } = await make(t, { as: 'json', url })
  await sink.resume(source)
  const numbers = '[12.50,1e3,-0,1E-7,9007199254740993,123456789012345678901234567890,0.1]'
  const row = `{"n":${numbers},"s":"1.50 \\" 2.00"}`
  await apply(sink, [put('1', row)])
  const [found] = await reading.some([`${prefix}1`])
  t.same(found!.doc, reading.render!(Buffer.from(row)))
  t.match(found!.doc, /9007199254740993/)
})

test('a member is told by its set, with its score', async (t) => {
  const { sink, reading, prefix } = await make(t, { as: 'zset', score: 'at' })
  const { sink: sets, reading: inSets } = await make(t, { as: 'set' })
  t.equal(inSets.expires, false)
  await sets.resume(source)
  await sink.resume(source)
  const records = [
    moved('1', { id: '1', c: 1 }, { id: '1', c: 2, at: 1.5 }, { version: 3 }),
    put('2', { id: '2', c: null, at: 1 }, { version: 4 }),
    put('3', { id: '3', c: 2, at: '2026-01-02T00:00:00Z' }, { version: 5 }),
  ]
  await apply(sink, records)
  const app = application(t, url)
  t.match(reading.statesOf!(records[1]!), [])
  const [left, now] = reading.statesOf!(records[0]!)
  t.match([left!.doc, now!.doc!()], [null, '1.5'])
  const found = await reading.some([left!.id, now!.id, 'nonsense'])
  t.same(found, [
    { id: left!.id, version: 3n, doc: null },
    { id: now!.id, version: 3n, doc: '1.5' },
  ])
  t.equal(await reading.count(), 2)
  const third = reading.statesOf!(records[2]!)[0]!
  t.same(await reading.some([third.id]), [{ id: third.id, version: 5n, doc: third.doc!() }])
  await app.zrem(`${prefix}2`, '1')
  t.match(await reading.some([now!.id]), [{ doc: null }])
  t.equal(String(reading.keyOf(now!.id)), '"1"')
})

test('every entry of a stream is told as its record says', async (t) => {
  const { sink, reading, prefix } = await make(t, { as: 'stream' })
  await sink.resume(source)
  const records = Array.from({ length: 1_200 }, (_, i) => {
    return moved('1', { c: 1, n: i }, i === 7 ? null : { c: 1, n: i + 1 }, { version: i + 1 })
  })
  await apply(sink, records)
  t.equal(await reading.count(), 1_200)
  const all = await collect(reading.all())
  const told = records.flatMap((record) => reading.statesOf!(record))
  t.same(
    all.map(({ id, doc }) => [id, JSON.parse(doc!)]),
    told.map(({ id, doc }) => [id, JSON.parse(doc!())]),
  )
  t.same(await reading.some([told[7]!.id, `${prefix}1 9999-0`, 'nonsense']), [
    { id: `${prefix}1 8-0`, version: 8n, doc: told[7]!.doc!() },
  ])
})

test('an invalidation is told by its version, whatever readers have filled in', async (t) => {
  const { sink, reading, prefix } = await make(t, { as: 'invalidate' })
  await sink.resume(source)
  const record = moved('1', { c: 1 }, { c: 2 }, { version: 9 })
  await apply(sink, [record])
  await application(t, url).set(`${prefix}2`, 'filled')
  const ids = reading.statesOf!(record).map(({ id }) => id)
  t.same(ids, [`${prefix}1`, `${prefix}2`])
  const held = ids.map((id) => ({ id, version: 9n, doc: null }))
  t.same(await reading.some([...ids, `${prefix}3`]), held)
  const all = await collect(reading.all())
  t.same([...new Set(all.map(({ id }) => id))].sort(), ids)
})

test('messages leave nothing to read back, and that is said', async (t) => {
  const options = redis.options.parse({ url, as: 'publish', channel: 'orders' })
  const context = { pipeline: 'p', name: 'bell', topic: 'o', partition: 0, say: () => {} }
  const refusal = { code: 'CONFIG_INVALID', message: /bell.*heard once and kept nowhere/ }
  t.throws(() => redis.read!(options, context), refusal)
})
