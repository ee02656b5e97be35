import { strictEqual } from 'node:assert/strict'
import fc from 'fast-check'
import { test } from 'tap'
import { defineTopology } from '../../../src/streams/stream-topology.ts'
import { testTopology } from '../../../src/streams/test-topology.ts'

interface Order {
  readonly name: string
}
interface Item {
  readonly order: number | null
  readonly n: number
}

const nested = defineTopology(({ table }) => {
  table<Order>('orders')
    .nest(table<Item>('items'), {
      on: ({ order }) => order,
      orderBy: ({ n }) => (n === 0 ? null : n),
      as: 'items',
    })
    .toStream()
    .to('out')
})

const id = fc.integer({ min: 1, max: 12 })
const order = fc.record({ name: fc.constantFrom('a', 'b') })
const item = fc.record({ order: fc.option(fc.integer({ min: 1, max: 4 })), n: fc.nat(3) })
const change = fc.oneof(
  fc.tuple(fc.constant('orders'), fc.integer({ min: 1, max: 4 }), fc.option(order)),
  fc.tuple(fc.constant('items'), id, fc.option(item)),
  fc.tuple(fc.constant('items'), id, fc.option(item)),
)

/** As anyone would work it out from whole tables. */
function expected(orders: ReadonlyMap<number, Order>, items: ReadonlyMap<number, Item>) {
  const place = ({ n }: Item) => (n === 0 ? Number.POSITIVE_INFINITY : n)
  const own = (key: number) =>
    [...items]
      .filter(([, each]) => each.order === key)
      .sort(([a, one], [b, other]) => place(one) - place(other) || a - b)
      .map(([, each]) => each)
  return Object.fromEntries([...orders].map(([key, row]) => [key, { ...row, items: own(key) }]))
}

for (const emission of ['perRecord', 'perCommit'] as const) {
  test(`each parent has the children that point at it, told ${emission}`, async (t) => {
    fc.assert(
      fc.property(
        fc.array(change, { minLength: 20, maxLength: 60 }),
        fc.boolean(),
        (changes, restarts) => {
          const topology = testTopology(nested, { emission })
          const [orders, items] = [new Map<number, Order>(), new Map<number, Item>()]
          const told = new Map<number, unknown>()
          for (const [topic, key, value] of changes) {
            if (restarts) topology.restart()
            const table = (topic === 'orders' ? orders : items) as Map<number, unknown>
            if (value === null) table.delete(key)
            else table.set(key, value)
            topology.pipe(topic, { key, value: value && { ...value }, timestamp: 0 })
            for (const record of topology.read()) {
              if (record.value === null) told.delete(record.key as number)
              else told.set(record.key as number, record.value)
            }
            const [have, want] = [Object.fromEntries(told), expected(orders, items)]
            strictEqual(JSON.stringify(have), JSON.stringify(want))
          }
        },
      ),
      { numRuns: 60 },
    )
    t.pass('60 histories')
  })
}

test('a child whose parent is not there tells nothing until it comes', async (t) => {
  const topology = testTopology(nested)
  topology.pipe('items', { key: 1, value: { order: 7, n: 1 }, timestamp: 0 })
  t.same(topology.read(), [])
  topology.pipe('orders', { key: 7, value: { name: 'a' }, timestamp: 0 })
  t.match(topology.read(), [{ key: 7, value: { name: 'a', items: [{ order: 7, n: 1 }] } }])
  topology.pipe('orders', { key: 7, value: null, timestamp: 0 })
  t.match(topology.read(), [{ key: 7, value: null }])
})
