import { test } from 'tap'
import { defineTopology } from '../../src/streams/stream-topology.ts'
import { testTopology } from '../../src/streams/test-topology.ts'
import { tumbling } from '../../src/streams/windows.ts'

interface Order {
  readonly customer: string
  readonly total: number
}

const totals = defineTopology(({ stream }) => {
  stream<Order, number>('orders')
    .filter(({ total }) => total > 0)
    .groupBy(({ customer }) => customer)
    .aggregate({ init: () => 0, add: (sum, { total }) => sum + total, store: 'totals' })
    .toStream()
    .to('totals-topic')
})

test('what is piped in is worked off before the call returns, and is read once', async (t) => {
  const topology = testTopology(totals)
  topology.pipe('orders', { key: 1, value: { customer: 'Ada', total: 5 }, timestamp: 10 })
  topology.pipe('orders', { key: 2, value: { customer: 'Ada', total: 0 }, timestamp: 11 })
  topology.pipe('orders', { key: 3, value: { customer: 'Ada', total: 7 }, timestamp: 12 })
  t.strictSame(topology.read('totals-topic'), [
    { topic: 'totals-topic', key: 'Ada', value: 5, timestamp: 10 },
    { topic: 'totals-topic', key: 'Ada', value: 12, timestamp: 12 },
  ])
  t.strictSame(topology.read(), [])
  t.equal(topology.store('totals').get('Ada'), 12)
  t.strictSame([...topology.store('totals').entries()], [{ key: 'Ada', value: 12, timestamp: 12 }])
})

test('a commit is told by its net effect, or record by record if that is asked for', async (t) => {
  const commit = [3, 4].map((total, i) => {
    return { topic: 'orders', key: i, value: { customer: 'Ada', total } }
  })
  const net = testTopology(totals)
  net.commit(commit)
  t.strictSame(
    net.read().map(({ value }) => value),
    [7],
  )
  const each = testTopology(totals, { emission: 'perRecord' })
  each.commit(commit)
  t.strictSame(
    each.read().map(({ value }) => value),
    [3, 7],
  )
})

test('a row that a commit leaves as it was is not told', async (t) => {
  const topology = testTopology(
    defineTopology(({ table }) => {
      table<Order, number>('orders')
        .groupBy((order) => [order.customer, order.total])
        .aggregate({ init: () => 0, add: (a, b) => a + b, subtract: (a, b) => a - b })
        .toStream()
        .to('totals')
    }),
  )
  topology.pipe('orders', { key: 1, value: { customer: 'Ada', total: 5 } })
  topology.read()
  topology.commit([
    { topic: 'orders', key: 1, value: { customer: 'Bob', total: 5 } },
    { topic: 'orders', key: 2, value: { customer: 'Ada', total: 5 } },
  ])
  t.strictSame(
    topology.read().map(({ key, value }) => [key, value]),
    [['Bob', 5]],
  )
})

test('records without a time have the time that the test has come to', async (t) => {
  const topology = testTopology(
    defineTopology(({ stream }) => {
      stream<number, string>('in')
        .groupByKey()
        .windowedBy(tumbling({ sizeMs: 10 }), { emit: 'close' })
        .count()
        .toStream()
        .to('out')
    }),
  )
  topology.pipe('in', { key: 'a', value: 1 })
  topology.advance(9)
  topology.pipe('in', { key: 'a', value: 1 })
  t.strictSame(topology.read(), [])
  topology.advance(1)
  topology.pipe('in', { key: 'b', value: 1 })
  t.strictSame(topology.read(), [
    { topic: 'out', key: { key: 'a', start: 0, end: 10 }, value: 2, timestamp: 9 },
  ])
})

test('a topology that is started anew goes on where it was', async (t) => {
  const topology = testTopology(totals)
  topology.pipe('orders', { key: 1, value: { customer: 'Ada', total: 5 } })
  topology.restart()
  topology.pipe('orders', { key: 2, value: { customer: 'Ada', total: 6 } })
  t.equal(topology.store('totals').get('Ada'), 11)
})

test('each record may go to a topic of its own', async (t) => {
  const topology = testTopology(
    defineTopology(({ stream }) => {
      stream<Order, number>('orders').to(({ customer }) => `orders-of-${customer}`)
    }),
  )
  topology.pipe('orders', { key: 1, value: { customer: 'Ada', total: 5 } })
  t.equal(topology.read()[0]!.topic, 'orders-of-Ada')
})

test('a topic or store that is not there is said, with what there is', async (t) => {
  const topology = testTopology(totals)
  t.throws(() => topology.pipe('order', { value: 1 }), { message: /not read order;.*: orders/ })
  t.throws(() => topology.store('sums'), { message: /no store sums/ })
})

test('what a function throws says in which step, and for which key', async (t) => {
  const topology = testTopology(
    defineTopology(({ stream }) => {
      stream<Order | null, number>('orders')
        .mapValues((order) => order!.total)
        .to('out')
    }),
  )
  t.throws(() => topology.pipe('orders', { key: 7, value: null }), {
    code: 'VIEW_FAILED',
    message: /orders\.mapValues\(\) at key 7 of orders: TypeError/,
  })
})

test('a topic is read in one way only', async (t) => {
  const twice = defineTopology(({ stream, table }) => {
    stream('orders')
    table('orders')
  })
  t.throws(() => testTopology(twice), { code: 'CONFIG_INVALID', message: /orders is read in two/ })
})
