import fc from 'fast-check'
import { test } from 'tap'
import { stringifyRow } from '../../src/core/row.ts'
import { compareKeys, KeyShape, type Scalar, shapeOf, toKey } from '../../src/streams/key.ts'

const scalar: fc.Arbitrary<Scalar> = fc.oneof(
  fc.integer(),
  fc.bigInt(),
  fc.string({ unit: 'binary' }).filter((text) => text.isWellFormed()),
  fc.boolean(),
)
const keyObject = fc.dictionary(fc.string({ unit: 'grapheme', minLength: 1 }), scalar, {
  minKeys: 1,
  maxKeys: 4,
  noNullPrototype: true,
})

test('a key read from a record equals the one made from its values, and renders back', (t) => {
  fc.assert(
    fc.property(keyObject, (values) => {
      const json = stringifyRow(values)
      const shape = shapeOf(Buffer.from(json))
      const key = shape.read(Buffer.from(json))
      t.equal(key, toKey(values))
      t.equal(shape.toJson(key!), json)
    }),
  )
  t.end()
})

test('values that are equal make one key, others do not', (t) => {
  t.equal(toKey(1), toKey(1n))
  t.equal(toKey({ id: 1 }), toKey(1))
  t.not(toKey('1'), toKey(1))
  t.equal(toKey({ b: 2, a: 1 }), toKey({ a: 1, b: 2 }))
  t.not(toKey({ a: 1, b: 2 }), toKey({ a: 2, b: 1 }))
  t.end()
})

test('a text is the same key however it was escaped', (t) => {
  const shape = new KeyShape(['id'])
  t.equal(shape.read(Buffer.from('{"id":"\\u00e9\\/"}')), toKey('é/'))
  t.equal(shape.read(Buffer.from('{ "id" : 12 }')), toKey(12))
  t.equal(shape.read(Buffer.from('{"id":-0}')), toKey(0))
  t.end()
})

test('a reference with a null in it points at nothing', (t) => {
  t.equal(toKey(null), null)
  t.equal(toKey(undefined), null)
  t.equal(toKey({ a: 1, b: null as unknown as number }), null)
  t.equal(toKey(Number.NaN), null)
  t.end()
})

test('other columns are not read as these', (t) => {
  t.equal(new KeyShape(['id']).read(Buffer.from('{"no":1}')), undefined)
  t.equal(new KeyShape(['id']).read(Buffer.from('{"id":1,"b":2}')), undefined)
  t.end()
})

test('keys are in the order of their values', (t) => {
  const values = [9007199254740993n, 10, -3, 2, 9007199254740992n]
  const keys = values.map((value) => toKey(value)!)
  t.same(keys.sort(compareKeys), ['-3', '2', '10', '9007199254740992', '9007199254740993'])
  t.ok(compareKeys(toKey(1.5)!, toKey(2)!) < 0)
  t.ok(compareKeys(toKey('a')!, toKey('b')!) < 0)
  t.ok(compareKeys(toKey({ a: 2, b: 1 })!, toKey({ a: 10, b: 0 })!) < 0)
  t.end()
})
