import { type Test, test } from 'tap'
import type { Reading } from '../../src/core/reading.ts'
import type { LogRecord } from '../../src/core/record.ts'
import type { Sink } from '../../src/core/sink.ts'
import { collect } from '../support/collect.ts'
import { put, remove } from '../support/records.ts'
import { apply, source } from './sink-steps.ts'

/** A sink on an empty target, and its reading side. */
export interface ReadableTarget {
  readonly sink: Sink<LogRecord>
  readonly reading: Reading
}

/** What the reading side of every sink promises. */
export function readingContract(name: string, make: (t: Test) => Promise<ReadableTarget>): void {
  const promise = (sentence: string, body: (t: Test, target: ReadableTarget) => Promise<void>) => {
    test(`${name} ${sentence}`, async (t) => body(t, await make(t)))
  }

  promise('gives back every document with its version', async (t, { sink, reading }) => {
    await sink.resume(source)
    const big = 9_007_199_254_740_993n
    const rows = Array.from({ length: 2_500 }, (_, i) => put(i, { n: i }, { version: i + 1 }))
    await apply(sink, [...rows, put('big', { n: big }, { version: big })])
    const all = await collect(reading.all())
    const byId = new Map(all.map((document) => [document.id, document]))
    t.equal(byId.size, 2_501)
    t.equal(await reading.count(), 2_501)
    const id = reading.idOf(Buffer.from('{"id":"big"}'))
    t.match(byId.get(id), { version: big })
    t.match(byId.get(id)?.doc, String(big), 'digit by digit')
    const first = byId.get(reading.idOf(Buffer.from('{"id":17}')))
    const text = '{"n":17}'
    t.match(first, { version: 18n, doc: reading.render?.(Buffer.from(text)) ?? text })
  })

  promise('gives some by their ids, as new as they are', async (t, { sink, reading }) => {
    await sink.resume(source)
    await apply(sink, [put('1', { n: 1 }), put('2', { n: 2 })])
    await apply(sink, [put('1', { n: 3 }, { version: 2 }), remove('2', { version: 2 })])
    const ids = ['1', '2', '3'].map((id) => reading.idOf(Buffer.from(JSON.stringify({ id }))))
    const found = await reading.some(ids)
    t.match(found[0], { id: ids[0], version: 2n, doc: /3/ })
    t.same(
      found.filter(({ doc }) => doc !== null).map(({ id }) => id),
      [ids[0]],
    )
    t.equal(await reading.count(), 1)
    t.same(await reading.some([]), [])
  })

  promise('tells how far the sink has come', async (t, { sink, reading }) => {
    t.equal(await reading.checkpoint(), null)
    await sink.resume(source)
    t.equal(await reading.checkpoint(), null)
    await apply(sink, [put('1', {})], 'here')
    t.equal(await reading.checkpoint(), 'here')
  })

  promise('finds a key that leads to an id', async (t, { reading }) => {
    const id = reading.idOf(Buffer.from('{"id":"a b/c"}'))
    const key = reading.keyOf(id)
    t.equal(key && reading.idOf(key), id)
  })
}
