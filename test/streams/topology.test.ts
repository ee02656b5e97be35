import { test } from 'tap'
import { Topology } from '../../src/streams/topology.ts'
import { defineView, tableView, type ViewDefinition } from '../../src/streams/view.ts'

type Row = { id: number; ref: number }

const on = (row: Row) => row.ref
const joined = (select: (row: Row) => object) =>
  defineView(({ table }) =>
    table<Row>('rows')
      .filter(({ id }) => id > 0)
      .join(table<Row>('others'), { on, select }),
  )

test('a topology knows the topics to read, once each', (t) => {
  const topology = new Topology('shop', {
    a: joined((row) => row),
    b: tableView('rows'),
    c: tableView('shop.a'),
  })
  t.same(topology.topics, ['rows', 'others'])
  t.same(
    topology.views.map(({ topic }) => topic),
    ['shop.a', 'shop.b', 'shop.c'],
  )
  t.end()
})

test('its hash changes with a function, an operator and a name, and with nothing else', (t) => {
  const hash = (views: Readonly<Record<string, ViewDefinition>>) => new Topology('p', views).hash
  const a = hash({ a: joined((row) => row) })
  t.equal(hash({ a: joined((row) => row) }), a)
  t.not(hash({ a: joined((row) => ({ ...row })) }), a)
  t.not(hash({ b: joined((row) => row) }), a)
  t.not(hash({ a: joined((row) => row), b: tableView('rows') }), a)
  t.end()
})

test('views that read each other in a circle are an error of the configuration', (t) => {
  const views = {
    a: defineView(({ view }) => view('b')),
    b: defineView(({ table }) => table('shop.a')),
  }
  t.throws(() => new Topology('shop', views), { code: 'CONFIG_INVALID', message: /a → b → a/ })
  t.end()
})

test('a view that does not exist is named, with those that do', (t) => {
  const views = { a: defineView(({ view }) => view('none')), b: tableView('rows') }
  t.throws(() => new Topology('shop', views), { code: 'CONFIG_INVALID', message: /none.*a, b/ })
  t.end()
})
