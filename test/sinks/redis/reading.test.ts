import { randomBytes } from 'node:crypto'
import t, { test } from 'tap'
import { redis } from '../../../sinks/redis/index.ts'
import type { RedisOptions } from '../../../sinks/redis/options.ts'
import { readingContract } from '../../contract/reading.ts'
import { apply, source } from '../../contract/sink-steps.ts'
import { collect } from '../../support/collect.ts'
import { put } from '../../support/records.ts'
import { useRedis } from '../../support/servers/use.ts'
import { application } from './target.ts'

const { url } = await useRedis(t)

/** A sink under a prefix of its own, and its reading side. */
async function make(t: Parameters<typeof application>[0], more: Partial<RedisOptions> = {}) {
  const prefix = `${randomBytes(4).toString('hex')}:`
  const options = redis.options.parse({ url, key: `${prefix}{}`, ...more })
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
