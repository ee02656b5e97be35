import { test } from 'tap'
import { searchTexts } from '../../../sinks/sqlite/search-text.ts'

const order = {
  customer: { name: 'Ada', tags: ['new', { level: 'gold' }] },
  items: [{ name: 'kettle', price: 12 }, { name: 'cup' }, null],
  paid: true,
}

test('a field stands for all text below it, through arrays', async (t) => {
  t.same(searchTexts(order, ['customer.name', 'items.name', 'customer', 'items.price']), [
    'Ada',
    'kettle\ncup',
    'Ada\nnew\ngold',
    '12',
  ])
})

test('what is missing or has no text is empty', async (t) => {
  const fields = ['nobody', 'customer.name.first', 'paid', 'items.toString', 'constructor.name']
  t.same(searchTexts(order, fields), ['', '', '', '', ''])
  t.same(searchTexts(null, ['a']), [''])
})
