import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Test, test } from 'tap'
import type { Row } from '../../../src/core/json.ts'
import type { Column, ColumnKind } from '../../../src/core/schema.ts'
import { loadConfig } from '../../../src/launcher/config/config.ts'
import { showFault } from '../../../src/launcher/config/fault.ts'
import { loadViews } from '../../../src/launcher/run/views.ts'
import { declaredView } from '../../../src/streams/declared/declared-view.ts'
import { insert, remove, type TestChange, update } from '../../streams/changes.ts'
import { told, ViewRun } from '../../streams/view-run.ts'
import { standIns } from '../stand-ins.ts'

const head = `name: shop
connectors:
  shop: { type: postgres, url: postgres://app@db/shop, tables: ['public.*'] }
views:
`

function load(t: Test, views: string, tables = "['public.*']") {
  const directory = t.testdir({})
  const file = join(directory, 'pipeline.yaml')
  mkdirSync(directory, { recursive: true })
  writeFileSync(file, head.replace("['public.*']", tables) + views)
  return loadConfig(file, standIns, {})
}

/** The views that the text describes, at work. */
function runOf(t: Test, views: string): ViewRun {
  const loaded = load(t, views)
  if (!loaded.ok) throw new Error(loaded.faults.map(showFault).join('\n'))
  const declared = loaded.config.views.map((view) => {
    if (!('root' in view)) throw new Error(`${view.name} is not declared`)
    return [view.name, declaredView(view.root)] as const
  })
  return new ViewRun(Object.fromEntries(declared))
}

/** A row as the Postgres connector writes it, with the types of its columns. */
function typed(topic: string, row: Row, kinds: Readonly<Record<string, ColumnKind>>): TestChange {
  const columns = Object.keys(row).map((name): Column => {
    const kind = kinds[name] ?? 'string'
    return { name, kind, type: kind === 'number' ? 'int4' : kind, key: name === 'id' }
  })
  return { ...insert(topic, row), schema: { columns } }
}

const orders = `
  orders:
    root: orders
    where: status != 'draft'
    fields: [id, status]
    one:
      customer: { table: customers, on: customer_id, fields: { name: name, town: address.city } }
    many:
      items:
        table: items
        on: order_id
        orderBy: -line
        without: [order_id]
        one:
          product: { table: products, on: sku, fields: [title] }
    compute:
      total: items.map(i, i.price * i.quantity).sum()
      titles: items.map(i, i.product.title).joined(', ')
`
const kinds = { price: 'decimal', quantity: 'number', address: 'json' } as const
const item = (id: number, line: number, sku: string, price: string) =>
  typed('items', { id, order_id: 1, line, sku, price, quantity: 2 }, kinds)

test('a tree of tables becomes one document', async (t) => {
  const run = runOf(t, orders)
  await run.commit(
    insert('orders', { id: 1, status: 'new', customer_id: 7 }),
    typed('customers', { id: 7, name: 'Ann', address: { city: 'Ulm' } }, kinds),
    { ...insert('products', { sku: 'a', title: 'Anvil' }, { sku: 'a' }) },
    item(1, 1, 'a', '0.10'),
    item(2, 2, 'b', '20.00'),
  )
  t.same(run.documents('orders'), {
    '{"id":1}': {
      id: 1,
      status: 'new',
      customer: { name: 'Ann', town: 'Ulm' },
      items: [
        { id: 2, line: 2, sku: 'b', price: '20.00', quantity: 2, product: null },
        { id: 1, line: 1, sku: 'a', price: '0.10', quantity: 2, product: { title: 'Anvil' } },
      ],
      total: '40.20',
      titles: 'Anvil',
    },
  })
})

test('a change anywhere in the tree changes the documents it concerns, and no others', async (t) => {
  const run = runOf(t, orders)
  await run.commit(
    insert('orders', { id: 1, status: 'new', customer_id: 7 }),
    insert('orders', { id: 2, status: 'new', customer_id: 8 }),
    item(1, 1, 'a', '1.00'),
  )
  const product = insert('products', { sku: 'a', title: 'Anvil' }, { sku: 'a' })
  t.match(told(await run.commit(product)), [/^u \{"id":1\}.*"titles":"Anvil"/])
  const customer = insert('customers', { id: 8, name: 'Bob', address: null })
  t.match(told(await run.commit(customer)), [/^u \{"id":2\}.*"name":"Bob","town":null/])
  t.match(told(await run.commit(remove('items', 1))), [/^u \{"id":1\}.*"total":null/])
})

test('a row that leaves the filter leaves the view, and comes back with it', async (t) => {
  const run = runOf(t, orders)
  const order = { id: 1, status: 'new', customer_id: null }
  await run.commit(insert('orders', order))
  const left = await run.commit(update('orders', { ...order, status: 'draft' }))
  t.same(told(left), ['d {"id":1}', 'tombstone {"id":1}'])
  t.match(told(await run.commit(update('orders', order))), [/^c \{"id":1\}/])
})

test('a filter may ask for included rows, and a required one must be there', async (t) => {
  const run = runOf(
    t,
    `
  abroad:
    root: orders
    where: customer.country != 'DE'
    one: { customer: { table: customers, on: customer_id, required: true, show: false } }
`,
  )
  await run.commit(
    insert('orders', { id: 1, customer_id: 7 }),
    insert('orders', { id: 2, customer_id: 8 }),
    insert('orders', { id: 3, customer_id: 9 }),
    insert('customers', { id: 7, country: 'DE' }),
    insert('customers', { id: 8, country: 'FR' }),
  )
  t.same(run.documents('abroad'), { '{"id":2}': { id: 2, customer_id: 8 } })
  await run.commit(update('customers', { id: 7, country: 'AT' }))
  t.same(Object.keys(run.documents('abroad')), ['{"id":2}', '{"id":1}'])
})

test('keys of several columns belong together by name', async (t) => {
  const run = runOf(
    t,
    `
  rooms:
    root: shelves
    many: { boxes: { table: boxes, on: { hall: in_hall, row: in_row }, fields: [id] } }
  labels:
    root: boxes
    fields: [id]
    one: { shelf: { table: shelves, on: { hall: in_hall, row: in_row }, fields: [label] } }
`,
  )
  const shelf = { hall: 1, row: 'b', label: 'top' }
  await run.commit(
    insert('shelves', shelf, { hall: 1, row: 'b' }),
    insert('boxes', { id: 5, in_hall: 1, in_row: 'b' }),
    insert('boxes', { id: 6, in_hall: null, in_row: 'b' }),
  )
  t.same(run.documents('rooms'), { '{"hall":1,"row":"b"}': { ...shelf, boxes: [{ id: 5 }] } })
  t.same(run.documents('labels'), {
    '{"id":5}': { id: 5, shelf: { label: 'top' } },
    '{"id":6}': { id: 6, shelf: null },
  })
})

test('a view may stand on a view, and sees it as of the same commit', async (t) => {
  const run = runOf(
    t,
    `
  totals:
    root: orders
    fields: [id]
    many: { items: { table: items, on: order_id, show: false } }
    compute: { count: size(items) }
  large:
    root: totals
    where: count > 1
`,
  )
  const items = [1, 2].map((id) => insert('items', { id, order_id: 1 }))
  await run.commit(insert('orders', { id: 1 }), ...items)
  t.same(run.documents('large'), { '{"id":1}': { id: 1, count: 2 } })
  await run.commit(remove('items', 2))
  t.same(run.documents('large'), {})
})

test('numbers are exact, by the type of their column', async (t) => {
  const run = runOf(
    t,
    `
  sums:
    root: rows
    fields:
      id: id
      big: big + 1
      price: price * 1.19
      half: small / 2
      ratio: ratio / 2
      cheap: price < 10
      none: missing + 1
`,
  )
  const kinds = { id: 'number', big: 'int8', price: 'decimal', small: 'number' } as const
  const change = typed('rows', { id: 1, big: 9007199254740993n, price: '9.90', small: 5 }, kinds)
  const schema = {
    columns: [
      ...change.schema!.columns,
      { name: 'ratio', kind: 'number', type: 'float8', key: false } as const,
    ],
  }
  const [record] = await run.commit({ ...change, row: { ...change.row, ratio: 5 }, schema })
  t.match(String(record!.value), '"big":9007199254740994,')
  t.match(run.documents('sums'), {
    '{"id":1}': { price: '11.7810', half: 2, ratio: 2.5, cheap: true, none: null },
  })
})

test('only the first rows are included where a limit is set', async (t) => {
  const run = runOf(
    t,
    `
  latest:
    root: users
    many: { logins: { table: logins, on: user_id, orderBy: [-at, id], limit: 2, fields: [id] } }
`,
  )
  const logins = ['2024', null, '2026', '2025'].map((at, id) => ({ id, user_id: 1, at }))
  await run.commit(insert('users', { id: 1 }), ...logins.map((row) => insert('logins', row)))
  t.same(run.documents('latest'), { '{"id":1}': { id: 1, logins: [{ id: 2 }, { id: 3 }] } })
})

test('an expression that cannot be worked out stops the view and says where', async (t) => {
  const run = runOf(t, `  broken: { root: rows, compute: { x: 1 / n } }\n`)
  const kinds = { id: 'number', n: 'number' } as const
  await t.rejects(run.commit(typed('rows', { id: 7, n: 0 }, kinds)), {
    code: 'VIEW_FAILED',
    message: /View broken .* at key 7 of rows: .*1 \/ n.*division by zero/,
  })
})

test('a changed expression is another definition', async (t) => {
  const text = `  v: { root: rows, compute: { x: id + 1 } }\n`
  const run = runOf(t, text)
  await run.commit(typed('rows', { id: 1 }, { id: 'number' }))
  t.same(run.documents('v'), { '{"id":1}': { id: 1, x: 2 } })
  const loaded = load(t, text.replace('+ 1', '+ 2'))
  if (!loaded.ok) throw new Error('not loaded')
  const views = await loadViews(loaded.config)
  const before = await loadViews((load(t, text) as typeof loaded).config)
  t.ok(views.ok && before.ok && views.topology.hash !== before.topology.hash)
})

test('a table that no connector writes is found in the view that names it', async (t) => {
  const views = `
  a: { root: shop.public.orders }
  b:
    root: shop.public.orders
    one: { customer: { table: shop.public.custmers, on: customer_id } }
`
  const loaded = load(t, views, "['public.orders', 'public.customers']")
  if (!loaded.ok) throw new Error(loaded.faults.map(showFault).join('\n'))
  const found = await loadViews(loaded.config)
  t.match(found, {
    ok: false,
    faults: [
      { line: 7, path: 'views.b', what: /shop.public.custmers; did you mean shop.public.cu/ },
    ],
  })
})

test('all that is wrong with a declared view is found at once, each at its place', (t) => {
  const loaded = load(
    t,
    `  v:
    root: orders
    were: true
    fields: { a: b +, c: 3 }
    one:
      customer: { table: customers, fields: [name] }
    many:
      customer: { table: items, on: order_id, orderBy: [id, '-('], limit: 0 }
    compute: { x: foo(id) }
`,
  )
  const faults = loaded.ok ? [] : loaded.faults
  t.same(
    faults.map(showFault).map((text) => text.replace(/^.*?pipeline.yaml:/, '')),
    [
      '7:5: views.v.were: is not an option; did you mean where?',
      '8:18: views.v.fields.a: is no expression: Unexpected token: EOF at character 4 of "b +"',
      '8:26: views.v.fields.c: must be a text, not 3',
      "10:7: views.v.one.customer.on: is missing: This row's column that holds the other's key; of a key of several, a mapping.",
      '12:7: views.v.many.customer: has the name of an include under `one`',
      '12:61: views.v.many.customer.orderBy[1]: is no expression: Unexpected token: EOF at character 2 of "("',
      '12:75: views.v.many.customer.limit: must be more than 0, not 0',
      '13:19: views.v.compute.x: is no expression: there is no function \'foo(dyn)\' at character 1 of "foo(id)"',
    ],
  )
  t.end()
})
