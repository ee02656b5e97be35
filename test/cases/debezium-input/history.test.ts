import { test } from 'tap'
import { historyOf } from './history.ts'

const place = { topic: 's.t', key: { pk: 1 } }
const insert = {
  ...place,
  op: 'c',
  before: null,
  after: { pk: 1, v: { $int64: '9007199254740993' } },
}
const entry = (...records: readonly object[]) => ({ expect: { records } })

test('records become what Debezium would have written, digits and all', (t) => {
  const history = historyOf(entry(insert, { ...place, tombstone: true, value: null }), 7)
  if (typeof history === 'string') return void t.fail(history)
  const [first, second] = history.records
  t.equal(first!.key, '{"case":7,"row":"[\\"s.t\\",{\\"pk\\":1}]"}')
  t.match(
    first!.value,
    /^\{"before":null,"after":\{"pk":1,"v":9007199254740993\},"source":\{.*"op":"c"/,
  )
  t.same(second, { key: first!.key, value: null })
  t.equal(history.rows.size, 0)
  t.end()
})

test('a placeholder keeps the value before it, and nothing of a row that was never told', (t) => {
  const hole = { ...place, op: 'u', after: { pk: 1, v: ['__debezium_unavailable_value'] } }
  const filled = historyOf(entry(insert, hole), 0)
  const alone = historyOf(entry(hole), 0)
  if (typeof filled === 'string' || typeof alone === 'string') return void t.fail('no history')
  t.same([...filled.rows.values()], [{ pk: 1, v: 9_007_199_254_740_993n }])
  t.equal(alone.rows.size, 0)
  t.end()
})

test('a case that does not say enough is named', (t) => {
  t.equal(historyOf({ expect: {} }, 0), 'it expects no records')
  t.equal(historyOf(entry({ op: 'c', after: {} }), 0), 'a record has no key')
  t.equal(historyOf(entry({ ...insert, after: { v: { $any: true } } }), 0), '$any says no value')
  t.equal(historyOf(entry({ ...insert, op: 't' }), 0), 'it is about no rows')
  t.end()
})
