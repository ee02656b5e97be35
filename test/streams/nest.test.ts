import { test } from 'tap'
import { defineView } from '../../src/streams/view.ts'
import { insert, remove, update } from './changes.ts'
import { told, ViewRun } from './view-run.ts'

type Order = { id: number }
type Item = { id: number; order_id: number | null; place: number | null }

const on = (item: Item) => item.order_id
const ids = defineView(({ table }) =>
  table<Order>('orders').nest(table<Item>('items'), {
    on,
    select: (_order, items) => ({ items: items.map(({ id }) => id) }),
  }),
)

test('a parent without children has an empty list', async (t) => {
  const run = new ViewRun({ v: ids })
  t.same(told(await run.commit(insert('orders', { id: 1 }))), ['c {"id":1} {"items":[]}'])
})

test('children that come before their parent wait for it', async (t) => {
  const run = new ViewRun({ v: ids })
  t.same(told(await run.commit(insert('items', { id: 5, order_id: 1, place: 1 }))), [])
  t.same(told(await run.commit(insert('orders', { id: 1 }))), ['c {"id":1} {"items":[5]}'])
})

test('a child that moves changes both parents, in one commit', async (t) => {
  const run = new ViewRun({ v: ids })
  await run.commit(insert('orders', { id: 1 }), insert('orders', { id: 2 }))
  await run.commit(insert('items', { id: 5, order_id: 1, place: 1 }))
  const records = await run.commit(update('items', { id: 5, order_id: 2, place: 1 }))
  t.same(told(records), ['u {"id":1} {"items":[]}', 'u {"id":2} {"items":[5]}'])
  t.equal(new Set(records.map(({ version }) => version)).size, 1)
})

test('children are in the order of their keys as numbers', async (t) => {
  const run = new ViewRun({ v: ids })
  const items = [10, 9, 100, 2].map((id) => insert('items', { id, order_id: 1, place: null }))
  await run.commit(insert('orders', { id: 1 }), ...items)
  t.same(run.documents('v'), { '{"id":1}': { items: [2, 9, 10, 100] } })
})

test('children are in the order that the view asks for, those without a value last', async (t) => {
  const view = defineView(({ table }) =>
    table<Order>('orders').nest(table<Item>('items'), {
      on,
      orderBy: ({ place }) => place,
      as: 'items',
    }),
  )
  const run = new ViewRun({ v: view })
  const items = [
    { id: 1, order_id: 1, place: null },
    { id: 2, order_id: 1, place: 11 },
    { id: 3, order_id: 1, place: 2 },
    { id: 4, order_id: 1, place: 2 },
  ]
  await run.commit(insert('orders', { id: 1 }), ...items.map((item) => insert('items', item)))
  const order = [items[2], items[3], items[1], items[0]]
  t.same(run.documents('v'), { '{"id":1}': { id: 1, items: order } })
})

test('a parent that goes takes its children along, and they wait for it to return', async (t) => {
  const run = new ViewRun({ v: ids })
  await run.commit(insert('orders', { id: 1 }), insert('items', { id: 5, order_id: 1, place: 1 }))
  t.same(told(await run.commit(remove('orders', 1))), ['d {"id":1}', 'tombstone {"id":1}'])
  t.same(told(await run.commit(insert('orders', { id: 1 }))), ['c {"id":1} {"items":[5]}'])
})
