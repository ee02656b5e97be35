import { test } from 'tap'
import { parseExpression } from '../../../src/streams/declared/expression.ts'
import { element } from '../../../src/streams/declared/paths.ts'

const pathsOf = (text: string) =>
  parseExpression(text).paths.map((path) =>
    path.map((each) => (each === element ? '*' : each)).join('.'),
  )

test('an expression tells which columns it reads, of its row and of those included', (t) => {
  t.same(pathsOf('a + b.c'), ['a', 'b.c'])
  t.same(pathsOf('items.map(i, i.price * rate).sum()'), ['items', 'items.*.price', 'rate'])
  t.same(pathsOf('items.filter(i, i.ok).map(i, i.product.title)'), [
    'items',
    'items',
    'items.*.ok',
    'items.*.product.title',
  ])
  t.same(pathsOf('row["odd name"] == row.n'), ['odd name', 'n'])
  t.same(pathsOf('items[0].price + items[n].price'), ['items.*.price', 'items.*.price', 'n'])
  t.same(pathsOf('items.filter(i, i.ok)[0].price'), [
    'items.*.price',
    'items',
    'items',
    'items.*.ok',
  ])
  t.same(pathsOf('list.distinct().sorted()'), ['list', 'list', 'list'])
  t.same(pathsOf('address.city'), ['address.city'])
  t.end()
})

test('the variable of a macro is no column, even if it has the name of one', (t) => {
  t.same(pathsOf('items.exists(name, name.n > 1) && name != null'), ['items', 'items.*.n', 'name'])
  t.same(pathsOf('items.map(i, [i]).map(each, each[0].n)'), ['items', 'items.*'])
  t.end()
})
