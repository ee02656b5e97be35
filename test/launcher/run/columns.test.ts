import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Test, test } from 'tap'
import { loadConfig } from '../../../src/launcher/config/config.ts'
import { showFault } from '../../../src/launcher/config/fault.ts'
import { ColumnWatch, columnFaults } from '../../../src/launcher/run/columns.ts'
import { loadViews } from '../../../src/launcher/run/views.ts'
import { standIns } from '../stand-ins.ts'

const head = `name: shop
connectors:
  shop: { type: postgres, url: postgres://app@db/shop, tables: ['public.*'] }
views:
`

function configOf(t: Test, views: string) {
  const file = join(t.testdir({}), 'pipeline.yaml')
  writeFileSync(file, head + views)
  const loaded = loadConfig(file, standIns, {})
  if (!loaded.ok) throw new Error(loaded.faults.map(showFault).join('\n'))
  return loaded.config
}

const orders = `
  orders:
    root: orders
    where: staus != 'draft'
    fields: { id: id, who: customer.nme }
    one:
      customer: { table: customers, on: custmer_id }
    many:
      items:
        table: items
        on: order_id
        orderBy: -prize
        without: [secert]
    compute:
      total: items.map(i, i.price * i.quantiy).sum()
      city: customer.address.city
`

const columns = new Map([
  ['orders', ['id', 'status', 'customer_id']],
  ['customers', ['id', 'name', 'address']],
  ['items', ['id', 'order_id', 'price', 'quantity', 'secret']],
])

test('a column that a table does not have is found wherever a view names it', (t) => {
  const faults = columnFaults(configOf(t, orders), columns)
  t.same(
    faults.map(({ path, what }) => `${path}: ${what}`),
    [
      'views.orders.where: orders has no column "staus"; did you mean status?',
      'views.orders.fields.who: customers has no column "nme"; did you mean name?',
      'views.orders.compute.total: items has no column "quantiy"; did you mean quantity?',
      'views.orders.one.customer.on: orders has no column "custmer_id"; did you mean customer_id?',
      'views.orders.many.items.orderBy: items has no column "prize"; did you mean price?',
      'views.orders.many.items.without: items has no column "secert"; did you mean secret?',
    ],
  )
  t.same(columnFaults(configOf(t, orders), new Map()), [], 'tables that nobody knows pass')
  t.end()
})

test('what a view does not have is found without a look at any table', async (t) => {
  const views = `
  totals: { root: orders, fields: [id], compute: { total: 1 + id } }
  large: { root: totals, where: totl > 5 }
`
  const loaded = await loadViews(configOf(t, views))
  t.match(loaded, {
    ok: false,
    faults: [
      {
        path: 'views.large.where',
        what: 'the view totals has no column "totl"; did you mean total?',
      },
    ],
  })
})

test('a view of all columns has those of its table', (t) => {
  const config = configOf(
    t,
    `
  slim: { root: orders, without: [status] }
  over: { root: slim, fields: [id, status, customer_id] }
`,
  )
  t.match(
    columnFaults(config, columns).map(({ what }) => what),
    ['the view slim has no column "status"; there is id, customer_id'],
  )
  t.end()
})

test('a view has the keys of its root, also if its documents do not show them', (t) => {
  const config = configOf(
    t,
    `
  shelves: { root: orders, fields: [status] }
  rooms:
    root: shelves
    many:
      boxes: { table: items, on: { id: order_id } }
      wrong: { table: items, on: { idd: order_id } }
`,
  )
  t.match(
    columnFaults(config, columns).map(({ path, what }) => `${path}: ${what}`),
    ['views.rooms.many.wrong.on: the view shelves has no column "idd"; did you mean id?'],
  )
  t.equal(columnFaults(config, columns).length, 1)
  t.same(columnFaults(config, new Map()), [])
  t.end()
})

test('rows that come without a column are told of once, but not those of history', (t) => {
  const config = configOf(t, '  v: { root: orders, compute: { x: late + 1 } }\n')
  const said: string[] = []
  const watch = new ColumnWatch(config, (line) => said.push(line))
  const schema = (...names: string[]) => ({
    columns: names.map((name) => ({ name, kind: 'string' as const, type: 'text', key: false })),
  })
  watch.phase('building')
  watch.note('orders', schema('id'))
  watch.note('orders', schema('id', 'late'))
  watch.phase('running')
  t.same(said, [])
  watch.note('orders', schema('id', 'later'))
  watch.note('orders', schema('id', 'later', 'more'))
  t.match(said, [
    /^views.v.compute.x: orders has no column "late"; did you mean later\?; it is null/,
  ])
  t.end()
})
