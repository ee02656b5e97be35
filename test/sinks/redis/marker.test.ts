import t from 'tap'
import { decodeMarker, encodeMarker, type Marker } from '../../../sinks/redis/marker.ts'
import { put } from '../../support/records.ts'
import { useRedis } from '../../support/servers/use.ts'
import { application, apply, openSink, source, startSink } from './target.ts'

const place = 'shop/cache/orders/0'
const markerKey = `millrace:{${place}}:marker`

t.test('what an earlier build has filled is filled again, without a gap', async (t) => {
  const { url } = await useRedis(t)
  const app = application(t, url)
  // Its owner is six letters of the same digest, behind seven of the record's key.
  const owner = await ownerOf(t)
  const stamp = (version: number) =>
    `${String(version).padStart(20, '0')}0000000000u0123456${owner}x`
  for (const id of [1, 2]) {
    await app.set(`order:${id}`, `{"id":${id}}`)
    await app.set(`millrace:v{order:${id}}`, stamp(5))
  }
  await app.set(markerKey, '{"v":1,"id":"a","template":"order:{}","prefix":"order:"}')
  const { sink, from } = await startSink(t, url)
  t.equal(from, undefined)
  t.equal(await app.get('order:1'), '{"id":1}', 'readers find it all the while')
  t.same(await apply(sink, [put(1, { n: 4 }, { version: 4 })]), ['stale'])
  t.same(await apply(sink, [put(1, { n: 5 }, { version: 5 })], 'end'), ['applied'])
  t.equal(await app.get('order:1'), '{"n":5}')
  await sink.commit({ source, position: 'end' as never, timestamp: 1 })
  t.equal(await app.exists('order:2'), 0, 'what the topic tells of no more is swept')
  t.equal(await sink.resume(source), 'end')
})

t.test('what a later build has written is left alone', async (t) => {
  const { url } = await useRedis(t)
  const app = application(t, url)
  await app.set(markerKey, '{"v":3}')
  const sink = openSink(t, url)
  const refusal = { code: 'TARGET_MISCONFIGURED', message: /later build.*remove the key/ }
  await t.rejects(sink.resume(source), refusal)
  t.equal(await app.get(markerKey), '{"v":3}')
})

t.test('a marker is read as it was written', async (t) => {
  const marker: Marker = {
    ...{ v: 2, id: 'x', layout: 'order:{}', prefixes: ['order:'], generation: 7 },
    ...{ filling: null, since: 12, shards: ['3', '9'] },
  }
  t.same(decodeMarker(encodeMarker(marker), 'here'), marker)
})

/** The five letters by which the sink of this place tells what is its own. */
async function ownerOf(t: Parameters<typeof application>[0]): Promise<string> {
  const { url } = await useRedis(t)
  const { sink } = await startSink(t, url)
  await apply(sink, [put(1, {})])
  return (await application(t, url).get('millrace:v{order:1}'))!.slice(37, 42)
}
