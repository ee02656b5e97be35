import { test } from 'tap'
import type { Write } from '../../../sinks/elasticsearch/bulk-writer.ts'
import { placement } from '../../../sinks/elasticsearch/placement.ts'
import { Shape, type ShapeOptions } from '../../../sinks/elasticsearch/shape.ts'
import { foldDocuments } from '../../../src/core/fold.ts'
import type { LogRecord } from '../../../src/core/record.ts'
import type { Outcome } from '../../../src/core/sink.ts'
import { moved, put, remove, tombstone } from '../../support/records.ts'

interface Sent {
  readonly id: string
  readonly body: string | null
  readonly index?: string | undefined
  readonly routing?: string | undefined
}

/** What goes out, one after the other, if the target answers so. */
function send(
  options: Partial<ShapeOptions>,
  records: readonly LogRecord[],
  answer: (write: Sent) => Outcome = () => 'applied',
) {
  const fold = foldDocuments(records)
  const queue: Write[] = new Shape({ deletes: 'remove', ...options }).writes(fold)
  const sent: Sent[] = []
  for (let write = queue.shift(); write !== undefined; write = queue.shift()) {
    const { id, index, routing, body } = write
    const each = { id, index, routing, body: body && String(body) }
    sent.push(each)
    const next = write.settle(answer(each))
    if (next !== undefined) queue.push(next)
  }
  return { sent, outcomes: fold.outcomes }
}

const monthly = placement('orders-{at:yyyy.MM}', undefined)
const byShop = placement('orders', '{shop}')
const january = { at: '2025-01-31T23:00:00Z' }
const february = { at: '2025-02-01T00:00:00Z' }

test('a document goes into the index of its time', (t) => {
  const { sent } = send({ placeOf: monthly }, [put('1', january)])
  t.match(sent, [{ id: '1', index: 'orders-2025.01' }])
  t.end()
})

test('a document whose time changes is deleted from the index where it was', (t) => {
  const { sent } = send({ placeOf: monthly }, [moved('1', january, february)])
  t.match(sent, [
    { index: 'orders-2025.02', body: /02-01/ },
    { index: 'orders-2025.01', body: null },
  ])
  t.end()
})

test('it is deleted from every place that it had in the batch', (t) => {
  const march = { at: '2025-03-01' }
  const records = [
    moved('1', january, february, { version: 2 }),
    moved('1', february, march, { version: 3 }),
  ]
  const { sent } = send({ placeOf: monthly }, records)
  t.same(
    sent.map(({ index }) => index),
    ['orders-2025.03', 'orders-2025.02', 'orders-2025.01'],
  )
  t.end()
})

test('nothing is deleted where the newest state was refused', (t) => {
  const records = [put('1', january, { version: 1 }), moved('1', january, february, { version: 2 })]
  const refuse = ({ index }: Sent): Outcome =>
    index === 'orders-2025.02' ? { code: 'no', reason: '' } : 'applied'
  const { sent, outcomes } = send({ placeOf: monthly }, records, refuse)
  t.same(
    sent.map(({ index }) => index),
    ['orders-2025.02', 'orders-2025.01'],
  )
  t.match(outcomes, ['applied', { code: 'no' }])
  t.end()
})

test('a row without the time that names an index is refused, and others go on', (t) => {
  const { sent, outcomes } = send({ placeOf: monthly }, [
    put('1', { at: null }),
    put('2', { at: 'infinity' }, { ordinal: 1 }),
    put('3', january, { ordinal: 2 }),
  ])
  t.equal(sent.length, 1)
  t.match(outcomes, [{ code: 'no_place' }, { code: 'no_place' }, 'applied'])
  t.end()
})

test('a delete goes where the row was', (t) => {
  const row = { shop: '9007199254740993' }
  const { sent } = send({ placeOf: byShop }, [
    put('1', row),
    { ...moved('1', row, null), version: 2n },
    tombstone('1', { version: 2, ordinal: 1 }),
  ])
  t.same(sent, [{ id: '1', routing: '9007199254740993', index: undefined, body: null }])
  t.end()
})

test('a tombstone that tells nothing of the row concerns no place', (t) => {
  const { sent, outcomes } = send({ placeOf: byShop }, [tombstone('1')])
  t.same([sent, outcomes], [[], ['filtered']])
  t.end()
})

test('a deleted document is marked, replaced, removed or left alone', (t) => {
  const records = [
    put('1', { a: 1 }, { version: 1 }),
    { ...moved('1', { a: 1 }, null), version: 2n },
  ]
  const bodies = (deletes: ShapeOptions['deletes']) => send({ deletes }, records).sent[0]?.body
  t.equal(bodies('remove'), null)
  t.equal(bodies({ field: 'gone' }), '{"a":1,"gone":true}')
  t.match(bodies('tombstone'), /^{"millrace_deleted":true,"millrace_deleted_at":\d+}$/)
  const { sent, outcomes } = send({ deletes: 'ignore' }, records)
  t.match(sent, [{ body: '{"a":1}' }])
  t.same(outcomes, ['applied', 'filtered'])
  t.equal(send({ deletes: { field: 'gone' } }, [remove('1')]).sent[0]?.body, '{"gone":true}')
  t.end()
})

test('fields are chosen and renamed byte by byte', (t) => {
  const text = '{"id":9223372036854775807,"secret":"x", "name" : "n\\"","nested":{"id":1}}'
  const fields = { exclude: ['secret'], rename: { id: 'number' } }
  t.same(
    send({ fields }, [put('1', text)]).sent[0]?.body,
    '{"number":9223372036854775807,"name":"n\\"","nested":{"id":1}}',
  )
  t.equal(send({ fields: { include: [] } }, [put('1', text)]).sent[0]?.body, '{}')
  t.end()
})
