import fc from 'fast-check'
import { test } from 'tap'
import { fillRow } from '../../src/core/fill-row.ts'

const columns = fc.dictionary(fc.string({ unit: 'grapheme' }), fc.jsonValue(), {
  noNullPrototype: true,
  maxKeys: 8,
})

test('a row with holes, filled from the whole row, is the whole row to the byte', (t) => {
  fc.assert(
    fc.property(columns, fc.infiniteStream(fc.boolean()), (row, coin) => {
      const names = Object.keys(row)
      const holes = names.filter(() => coin.next().value)
      const rest = Object.fromEntries(Object.entries(row).filter(([name]) => !holes.includes(name)))
      const schema = {
        columns: names.map((name) => ({ name, kind: 'json', type: 'json', key: false }) as const),
      }
      const whole = JSON.stringify(row)
      t.equal(fillRow(JSON.stringify(rest), whole, holes, schema), whole)
    }),
  )
  t.end()
})

test('columns that came are never replaced, and digits are kept', (t) => {
  const filled = fillRow('{"a":1}', '{"a":2,"b":9007199254740993,"c":3}', ['b'], undefined)
  t.equal(filled, '{"a":1,"b":9007199254740993}')
  t.end()
})
