import { type Test, test } from 'tap'
import { generationOf, searchPattern } from '../../../sinks/elasticsearch/generations.ts'
import { elasticsearch } from '../../../sinks/elasticsearch/index.ts'
import type { LogRecord } from '../../../src/core/record.ts'
import type { Sink } from '../../../src/core/sink.ts'
import type { Position } from '../../../src/core/source.ts'
import { collect } from '../../support/collect.ts'
import { batch, put } from '../../support/records.ts'
import { useElasticsearch, useOpensearch } from '../../support/servers/use.ts'
import { makeTarget, type Target } from './target.ts'

test('a generation is told by the name of an index', (t) => {
  const family = 'orders-{at:yyyy.MM}'
  t.equal(generationOf(family, 'orders-2025.01'), 1)
  t.equal(generationOf(family, 'orders-2025.01-r12'), 12)
  t.equal(generationOf(`${family}-r12`, 'orders-2025.01-r12'), 1)
  t.equal(generationOf(family, 'orders-of-others'), undefined)
  t.equal(generationOf(family, 'my-orders-2025.01'), undefined)
  t.equal(searchPattern(family), 'orders-*,-orders-*-r*')
  t.equal(searchPattern('orders'), 'orders')
  t.end()
})

for (const [product, use] of [
  ['Elasticsearch', useElasticsearch],
  ['OpenSearch', useOpensearch],
] as const) {
  test(`indexes by time of ${product} are exchanged for others while they serve`, async (t) => {
    const { options, sink, reindexing, read, searched } = await begin(t, (await use(t)).url)
    await sink.resume('orders')
    const rows = [put('1', { at: '2024-05-06' }), put('2', { at: '2025-01-01' }, { ordinal: 1 })]
    await apply(sink, rows, '1')
    const other = { ...options, reshaped: 'pause', fields: { rename: { at: 'day' } } }

    const next = await reindexing(other).open()
    await next.resume('orders')
    await apply(next, rows, '1')
    t.same(await searched(), ['1', '2'], 'what is filled beside is not seen')
    t.equal(await read(options).count(), 2)
    t.match(await reindexing(other).swap(), '-r2 serves as')
    t.same(await searched('day:[2000 TO 2100]'), ['1', '2'])

    const again = sink.with(other)
    t.equal(await again.resume('orders'), '1', 'it goes on from where the new ones are')
    await apply(again, [put('3', { at: '2026-01-01' }, { version: 2 })], '2')
    t.same(await searched('day:[2000 TO 2100]'), ['1', '2', '3'])
    const found = await collect(read(other).all())
    t.same(found.map(({ id }) => id).sort(), ['1', '2', '3'])

    t.match(await reindexing(other).rollback(), 'serves as')
    t.same(await searched('at:[2000 TO 2100]'), ['1', '2'])
    const back = sink.with(options)
    t.equal(await back.resume('orders'), '1')
    await apply(back, [put('4', { at: '2026-01-01' }, { version: 3 })], '3')
    t.same(await searched('at:[2000 TO 2100]'), ['1', '2', '4'])
  })

  test(`a generation of ${product} is removed once nobody wants it back`, async (t) => {
    const { target, options, sink, reindexing, searched } = await begin(t, (await use(t)).url)
    await sink.resume('orders')
    await apply(sink, [put('1', { at: '2024-05-06' })], '1')
    const next = await reindexing(options).open()
    await next.resume('orders')
    await apply(next, [put('1', { at: '2024-05-06' })], '1')
    t.match(await reindexing(options).cancel(), 'was removed')
    t.same(await members(target), [`${target.index}-2024`])
    const another = await reindexing(options).open()
    await another.resume('orders')
    await apply(another, [put('1', { at: '2024-05-06' })], '1')
    await reindexing(options).swap()
    t.match(await reindexing(options).finish(), 'was removed')
    t.same(await members(target), [`${target.index}-2024-r2`])
    t.same(await searched(), ['1'])
  })
}

test('a family without an alias cannot be exchanged', async (t) => {
  const { options, reindexing } = await begin(t, (await useElasticsearch(t)).url)
  const { alias: _, ...bare } = options
  t.throws(() => reindexing(bare), { code: 'TARGET_MISCONFIGURED', message: /under an `alias`/ })
})

async function begin(t: Test, url: string) {
  const target = await makeTarget(url)
  t.teardown(async () => {
    for (const name of await members(target)) await target.ask('DELETE', `/${name}`)
    await target.close()
  })
  const alias = `${target.index}-all`
  const options = { index: `${target.index}-{at:yyyy}`, alias }
  const context = { ...target.place, topic: 'orders', partition: 0, say: () => {} }
  const first = target.open(options)
  return {
    ...{ target, options },
    sink: Object.assign(first, { with: (more: object) => target.open({ ...more }) }),
    read: (more: object) => target.read({ ...more }),
    reindexing(more: object) {
      const parsed = elasticsearch.options.parse({ ...target.options, ...more })
      const made = elasticsearch.reindex!(parsed, context)
      t.teardown(() => made.close())
      return made
    },
    async searched(query = '*') {
      await target.ask('POST', `/${alias}/_refresh`)
      const answer = await target.ask('GET', `/${alias}/_search?q=${encodeURIComponent(query)}`)
      return [...answer.matchAll(/"_id":"(\d+)"/g)].map(([, id]) => id).sort()
    },
  }
}

async function members(target: Target): Promise<string[]> {
  return Object.keys(JSON.parse(await target.ask('GET', `/${target.index}-*`)) as object).sort()
}

async function apply(sink: Sink<LogRecord>, records: readonly LogRecord[], position: string) {
  await sink.write({ ...batch(records, position as Position), atEnd: true })
  await sink.commit({ source: 'orders', position: position as Position, timestamp: 0 })
}
