import { setTimeout as sleep } from 'node:timers/promises'
import { type Test, test } from 'tap'
import type { LogRecord } from '../../../src/core/record.ts'
import type { Sink } from '../../../src/core/sink.ts'
import type { Position } from '../../../src/core/source.ts'
import { batch, moved, put, remove } from '../../support/records.ts'
import { makeTarget, type Target } from './target.ts'

/** Where documents go and what is left of deleted ones, on a real server of either product. */
export function shapeSuite(name: string, url: string): void {
  const promise = (sentence: string, body: (t: Test, target: Target) => Promise<void>) => {
    test(`${name} ${sentence}`, async (t) => {
      const target = await makeTarget(url)
      t.teardown(() => target.close())
      await body(t, target)
    })
  }
  deletions(promise)
  places(promise)
  sweeps(promise)
}

type PromiseTest = (sentence: string, body: (t: Test, target: Target) => Promise<void>) => void

function deletions(promise: PromiseTest): void {
  promise('keeps a tombstone that holds against what comes late', async (t, target) => {
    const options = { deletes: 'tombstone', gcDeletes: '1ms', alias: `${target.index}-live` }
    const sink = await started(target, options)
    await apply(sink, [put('1', { a: 1 }), put('2', { a: 1 }, { ordinal: 1 })])
    await apply(sink, [remove('1', { version: 3 })])
    await reopen(target)
    t.same(await apply(sink, [put('1', { a: 2 }, { version: 2 })]), ['stale'])
    t.same(await searched(target, `${target.index}-live`), ['2'], 'readers do not see it')
    const read = target.read(options)
    t.equal(await read.count(), 1)
    t.match(await read.some(['1']), [{ id: '1', version: 3n, doc: null }])
    t.same(await apply(sink, [put('1', { a: 4 }, { version: 4 })]), ['applied'])
    t.same(await searched(target, `${target.index}-live`), ['1', '2'])
  })

  promise('removes tombstones that are old enough', async (t, target) => {
    const sink = await started(target, { deletes: 'tombstone' })
    const old = Date.now() - 2 * 86_400_000
    const tombstone = `{"millrace_deleted":true,"millrace_deleted_at":${old}}`
    const write = `/${target.index}/_doc/1?version=5&version_type=external_gte`
    await target.ask('PUT', write, JSON.parse(tombstone) as object)
    await apply(sink, [put('2', {})])
    t.same(await searched(target, target.index), ['2'])
  })

  promise('marks documents of deleted rows and keeps them', async (t, target) => {
    const sink = await started(target, { deletes: { field: 'gone' } })
    await apply(sink, [put('1', { a: 1 })])
    await apply(sink, [moved('1', { a: 1 }, null, { version: 2 })])
    t.equal((await target.stored()).get('1'), '{"a":1,"gone":true}')
  })
}

function places(promise: PromiseTest): void {
  promise('keeps an index for each time, and moves a document between them', async (t, target) => {
    const index = `${target.index}-{at:yyyy.MM}`
    t.teardown(() => dropFamily(target))
    const sink = await started(target, { index })
    const january = { at: '2025-01-31T23:00:00Z' }
    const february = { at: '2025-02-01T00:00:00Z' }
    await apply(sink, [put('1', january), put('2', february, { ordinal: 1 })])
    t.same(await searched(target, `${target.index}-2025.01`), ['1'])
    await apply(sink, [moved('1', january, february, { version: 2 })])
    t.same(await searched(target, `${target.index}-2025.01`), [])
    t.same(await searched(target, `${target.index}-2025.02`), ['1', '2'])
    await apply(sink, [moved('1', february, null, { version: 3 })])
    t.same(await searched(target, `${target.index}-*`), ['2'])
    t.match(await target.read({ index }).some(['2']), [{ id: '2' }])
  })

  promise('lets an old index of a family go, but not one be replaced', async (t, target) => {
    const index = `${target.index}-{at:yyyy}`
    t.teardown(() => dropFamily(target))
    const sink = await started(target, { index })
    const rows = [put('1', { at: '2023-01-01' }), put('2', { at: '2024-01-01' }, { ordinal: 1 })]
    const position = await applyAt(sink, rows)
    await target.ask('DELETE', `/${target.index}-2023`)
    await applyAt(sink, [put('3', { at: '2024-01-02' }, { version: 2 })])
    t.not(await sink.resume('orders'), undefined)
    await target.ask('DELETE', `/${target.index}-2024`)
    await target.ask('PUT', `/${target.index}-2024/_doc/9`, { at: '2024-01-01' })
    await t.rejects(apply(sink, []), { code: 'TARGET_CHANGED' })
    t.type(position, 'string')
  })

  promise('keeps a template for the indexes of a family', async (t, target) => {
    const index = `${target.index}-{at:yyyy}`
    const template = `${target.index}-template`
    t.teardown(async () => {
      await dropFamily(target)
      await target.ask('DELETE', `/_index_template/${template}`)
    })
    const sink = await started(target, { index, template, mapping: { code: { type: 'keyword' } } })
    const schema = {
      columns: [{ name: 'at', kind: 'date', type: 'date', key: false } as const],
    }
    await apply(sink, [{ ...put('1', { at: '2024-01-01' }), schema }])
    await target.ask('PUT', `/${target.index}-2025/_doc/x`, { at: '2025-01-01', code: 'a' })
    const made = await target.ask('GET', `/${target.index}-2025/_mapping`)
    for (const part of ['"code":{"type":"keyword"}', '"dynamic":"strict"', '"millrace"']) {
      t.match(made, part)
    }
    await apply(sink, [put('2', { at: '2025-01-02' }, { version: 2 })])
    t.same(await searched(target, `${target.index}-2025`), ['2', 'x'])
  })

  promise('routes a document, and moves it when its routing changes', async (t, target) => {
    const options = { routing: '{shop}', settings: { number_of_shards: 5, number_of_replicas: 0 } }
    const sink = await started(target, options)
    await apply(sink, [put('1', { shop: 1 })])
    for (let shop = 2; shop < 9; shop++) {
      await apply(sink, [moved('1', { shop: shop - 1 }, { shop }, { version: shop })])
      t.same(await searched(target, target.index), ['1'])
    }
    await apply(sink, [moved('1', { shop: 8 }, null, { version: 9 })])
    t.same(await searched(target, target.index), [])
  })

  promise('writes the fields that are chosen', async (t, target) => {
    const fields = { exclude: ['secret'], rename: { name: 'title' } }
    const sink = await started(target, { fields })
    await apply(sink, [put('1', { name: 'a', secret: 'b', n: 1 })])
    t.equal((await target.stored()).get('1'), '{"title":"a","n":1}')
  })
}

function sweeps(promise: PromiseTest): void {
  promise('removes what a rolled back index holds and its topic does not', async (t, target) => {
    const sink = await started(target)
    const rows = Array.from({ length: 30 }, (_, i) => put(i, { i }, { ordinal: i }))
    await apply(sink, rows)
    await sink.close()
    await pretendRollback(target)
    const again = target.open()
    t.equal(await again.resume('orders'), undefined)
    const left = rows.filter((_, i) => i % 3 !== 0)
    await write(again, left.slice(0, 10), false)
    t.equal((await target.stored()).size, 30, 'nothing goes before all was written')
    await again.close()
    const third = target.open()
    t.not(await third.resume('orders'), undefined)
    await write(third, left.slice(10), true)
    t.equal((await target.stored()).size, 20)
    t.match(target.said, ['filled again', '10 documents were left'])
    t.same(await apply(third, [put(0, {}, { version: 2 })]), ['applied'])
  })

  promise('removes what has no row from an index whose checkpoint was lost', async (t, target) => {
    const sink = await started(target)
    await apply(sink, [put(1, {}), put(2, {}, { ordinal: 1 })])
    await sink.close()
    await target.ask('DELETE', target.checkpoint)
    const again = await started(target)
    await write(again, [put(1, {})], true)
    t.same([...(await target.stored()).keys()], ['1'])
  })

  for (const suffix of ['', '-{at:yyyy}']) {
    const what = suffix === '' ? 'an index' : 'a family of indexes'
    promise(`removes nothing from ${what} that another topic is written to`, async (t, target) => {
      t.teardown(() => dropFamily(target))
      const options = { index: `${target.index}${suffix}` }
      const other = target.open(options, { topic: 'customers' })
      await other.resume('customers')
      await other.write(batch([put(1, { at: '2025-01-01' })]))
      await other.commit({ source: 'customers', position: 'x' as Position, timestamp: 0 })
      const sink = await started(target, options)
      await write(sink, [put(2, { at: '2025-01-01' })], true)
      t.same(await searched(target, `${target.index}*`), ['1', '2'])
      await target.ask('DELETE', target.checkpoint.replace('orders%2F0', 'customers%2F0'))
    })
  }
}

/** The checkpoint names another index, as after a restore from an older copy. */
async function pretendRollback(target: Target): Promise<void> {
  const { _source } = JSON.parse(await target.ask('GET', target.checkpoint)) as {
    _source: { target: string }
  }
  const other = _source.target.replace(/"uuid":"[^"]*"/, '"uuid":"other"')
  await target.ask('PUT', target.checkpoint, { ..._source, target: other })
}

/** Makes the server forget deletes whose time is over. */
async function reopen(target: Target): Promise<void> {
  await sleep(1_200)
  await target.ask('POST', `/${target.index}/_refresh`)
}

async function dropFamily(target: Target): Promise<void> {
  const found = JSON.parse(await target.ask('GET', `/${target.index}-*`)) as object
  for (const name of Object.keys(found)) await target.ask('DELETE', `/${name}`)
}

async function searched(target: Target, index: string): Promise<string[]> {
  await target.ask('POST', `/${index}/_refresh`)
  const answer = JSON.parse(await target.ask('GET', `/${index}/_search?size=100`)) as {
    hits: { hits: { _id: string }[] }
  }
  return answer.hits.hits.map(({ _id }) => _id).sort()
}

async function started(target: Target, options = {}): Promise<Sink<LogRecord>> {
  const sink = target.open(options)
  await sink.resume('orders')
  return sink
}

let positions = 0

async function write(sink: Sink<LogRecord>, records: readonly LogRecord[], atEnd: boolean) {
  const position = String(++positions) as Position
  const outcomes = await sink.write({ ...batch(records, position), atEnd })
  await sink.commit({ source: 'orders', position, timestamp: 0 })
  return outcomes
}

function apply(sink: Sink<LogRecord>, records: readonly LogRecord[]) {
  return write(sink, records, false)
}

async function applyAt(sink: Sink<LogRecord>, records: readonly LogRecord[]) {
  await apply(sink, records)
  return String(positions)
}
