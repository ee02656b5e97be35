import { test } from 'tap'
import { defineView } from '../../src/streams/view.ts'
import { insert, remove, update } from './changes.ts'
import { told, ViewRun } from './view-run.ts'

type Order = { id: number; customer_id: number | null }
type Customer = { id: number; name: string }

const select = (_order: Order, customer: Customer | null) => ({ name: customer?.name ?? null })
const on = (order: Order) => order.customer_id
const inner = defineView(({ table }) =>
  table<Order>('orders').join(table<Customer>('customers'), { on, select }),
)
const left = defineView(({ table }) =>
  table<Order>('orders').leftJoin(table<Customer>('customers'), { on, select }),
)

test('a join holds a left row only while it points at a right one', async (t) => {
  const run = new ViewRun({ v: inner })
  t.same(told(await run.commit(insert('orders', { id: 1, customer_id: 7 }))), [])
  t.same(told(await run.commit(insert('customers', { id: 7, name: 'Ann' }))), [
    'c {"id":1} {"name":"Ann"}',
  ])
  t.same(told(await run.commit(update('orders', { id: 1, customer_id: 8 }))), [
    'd {"id":1}',
    'tombstone {"id":1}',
  ])
  t.same(told(await run.commit(update('orders', { id: 1, customer_id: null }))), [])
  t.same(told(await run.commit(update('orders', { id: 1, customer_id: 7 }))), [
    'c {"id":1} {"name":"Ann"}',
  ])
  t.same(told(await run.commit(remove('customers', 7))), ['d {"id":1}', 'tombstone {"id":1}'])
  t.same(told(await run.commit(remove('orders', 1))), [])
})

test('a left join keeps rows that point at nothing', async (t) => {
  const run = new ViewRun({ v: left })
  t.same(told(await run.commit(insert('orders', { id: 1, customer_id: null }))), [
    'c {"id":1} {"name":null}',
  ])
  t.same(told(await run.commit(update('orders', { id: 1, customer_id: 7 }))), [])
  t.same(told(await run.commit(insert('customers', { id: 7, name: 'Ann' }))), [
    'u {"id":1} {"name":"Ann"}',
  ])
  t.same(told(await run.commit(remove('customers', 7))), ['u {"id":1} {"name":null}'])
  t.same(told(await run.commit(remove('orders', 1))), ['d {"id":1}', 'tombstone {"id":1}'])
})

test('changes of both sides in one commit are one change of the result', async (t) => {
  const run = new ViewRun({ v: inner })
  await run.commit(
    insert('orders', { id: 1, customer_id: 7 }),
    insert('customers', { id: 7, name: 'Ann' }),
    insert('customers', { id: 8, name: 'Bob' }),
  )
  const records = await run.commit(
    update('customers', { id: 7, name: 'Anna' }),
    update('orders', { id: 1, customer_id: 8 }),
    update('customers', { id: 8, name: 'Bobby' }),
  )
  t.same(told(records), ['u {"id":1} {"name":"Bobby"}'])
})

test('a right row reaches the left rows of its own key, not of a similar one', async (t) => {
  const run = new ViewRun({ v: inner })
  await run.commit(
    insert('customers', { id: 1, name: 'one' }),
    insert('customers', { id: 12, name: 'twelve' }),
    insert('orders', { id: 5, customer_id: 1 }),
    insert('orders', { id: 6, customer_id: 12 }),
  )
  t.same(told(await run.commit(update('customers', { id: 1, name: 'ONE' }))), [
    'u {"id":5} {"name":"ONE"}',
  ])
})

test('references of several columns are objects, in any order of their columns', async (t) => {
  type Line = { id: number; sku: string; shop: number }
  const view = defineView(({ table }) =>
    table<Line>('lines').join(table<{ stock: number }>('stock'), {
      on: ({ sku, shop }) => ({ sku, shop }),
      select: (_line, { stock }) => ({ stock }),
    }),
  )
  const run = new ViewRun({ v: view })
  await run.commit(insert('lines', { id: 1, sku: 'a"b', shop: 3 }))
  const row = { shop: 3, sku: 'a"b', stock: 9 }
  t.same(told(await run.commit(insert('stock', row, { shop: 3, sku: 'a"b' }))), [
    'c {"id":1} {"stock":9}',
  ])
})

test('an int8 reference finds a key written as a plain number, with all digits', async (t) => {
  const column = (name: string, key: boolean) =>
    ({ name, kind: 'int8', type: 'int8', key }) as const
  const schema = { columns: [column('id', true), column('customer_id', false)] }
  const run = new ViewRun({ v: inner })
  const id = 9007199254740993n
  await run.commit(
    { ...insert('orders', { id: 1n, customer_id: id }), schema },
    insert('customers', { id, name: 'Ann' }),
    insert('customers', { id: id - 1n, name: 'wrong' }),
  )
  t.same(run.documents('v'), { '{"id":1}': { name: 'Ann' } })
})

test('keys longer than the store takes are joined all the same', async (t) => {
  const long = 'x'.repeat(3_000)
  const view = defineView(({ table }) =>
    table<{ ref: string }>('notes').join(table<{ n: number }>('pages'), {
      on: ({ ref }) => ref,
      select: (_note, { n }) => ({ n }),
    }),
  )
  const run = new ViewRun({ v: view })
  await run.commit(insert('notes', { id: `${long}1`, ref: `${long}a` }))
  await run.commit(insert('notes', { id: `${long}2`, ref: `${long}b` }))
  const records = await run.commit(insert('pages', { id: `${long}b`, n: 2 }))
  t.same(told(records), [`c {"id":"${long}2"} {"n":2}`])
})
