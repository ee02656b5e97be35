import { type Test, test } from 'tap'
import { Decimal } from '../../../src/core/decimal.ts'
import { parseExpression } from '../../../src/streams/declared/expression.ts'

const row = new Map<string, unknown>([
  ...Object.entries({ none: null, name: 'Ann', n: 5n, yes: true, no: false }),
  ['price', Decimal.of('1.50')],
  ['list', [1n, null, 3n]],
  ['type', 'b'],
])

function same(t: Test, expected: Readonly<Record<string, unknown>>): void {
  for (const [text, value] of Object.entries(expected)) {
    const found = parseExpression(text).evaluate(row)
    t.same(found instanceof Decimal ? String(found) : found, value, text)
  }
  t.end()
}

test('a function of null is null, and what stands around it goes on', (t) => {
  same(t, {
    'none.startsWith("A")': null,
    'name.startsWith(none)': null,
    'coalesce(none.lowerAscii(), "x")': 'x',
    'coalesce(size(none), 7)': 7n,
    'decimal(none)': null,
    'decimal(none).round(2)': null,
    'coalesce(decimal(none), price)': '1.50',
    'none.map(e, e)': null,
    'size(none.filter(e, e > 1))': null,
    '(none + 1) == null': true,
    'timestamp(none) == null': true,
    'string(n) == null': false,
  })
})

test('no order comparison with null holds, whatever the type beside it', (t) => {
  same(t, {
    'none < 1': false,
    'none < "b"': false,
    'timestamp(none) < timestamp("2010-01-01T00:00:00Z")': false,
    '!(timestamp(none) < timestamp("2010-01-01T00:00:00Z"))': true,
    'decimal(none) <= price': false,
    'none == null': true,
    'price != null': true,
    'none in ["a"]': false,
  })
})

test('what is true, false or null is put together as in SQL', (t) => {
  same(t, {
    'none && yes': null,
    'yes && none': null,
    'none && no': false,
    'no && none': false,
    'none || yes': true,
    'none || no': null,
    '!none': null,
    '!(none && yes)': null,
    'none ? 1 : 2': 2n,
    'yes ? 1 : 2': 1n,
    'list.filter(e, none)': [],
    'list.exists(e, none)': false,
    'list.all(e, none || e == 1)': false,
  })
})

test('a condition that is neither true nor false nor null is an error', (t) => {
  for (const text of ['n && yes', 'n ? 1 : 2', 'list.filter(e, n)', 'coalesce(1 / 0, 1)'])
    t.throws(() => parseExpression(text).evaluate(row), { code: 'VIEW_FAILED' }, text)
  t.end()
})

test('a column may have the name of a type', (t) => {
  same(t, {
    'type == "b"': true,
    'type + name': 'bAnn',
    'size(list)': 3n,
    'list.map(e, e * 2).sum()': 8n,
    'string(n) + string(list.sum())': '54',
  })
})
