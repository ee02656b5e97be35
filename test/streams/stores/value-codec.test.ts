import fc from 'fast-check'
import { test } from 'tap'
import type { Json } from '../../../src/core/json.ts'
import {
  decodeKey,
  decodeValue,
  encodeKey,
  encodeValue,
} from '../../../src/streams/stores/value-codec.ts'

const { json } = fc.letrec<{ json: Json }>((tie) => ({
  json: fc.oneof(
    ...[fc.constant(null), fc.boolean(), fc.integer(), fc.bigInt(), fc.string()],
    fc.string().map((text) => `\u0001${text}`),
    fc.array(tie('json'), { maxLength: 3 }),
    fc.dictionary(fc.string(), tie('json'), { maxKeys: 3, noNullPrototype: true }),
  ),
}))

test('values come back as they were, bigints as bigints', async (t) => {
  fc.assert(
    fc.property(json, (value) => {
      t.strictSame(decodeValue(encodeValue(value)), value)
    }),
  )
})

test('keys are the same text if they are equal, whatever the order of members', async (t) => {
  t.equal(encodeKey({ a: 1, b: [2, 'x'] }), encodeKey({ b: [2, 'x'], a: 1 }))
  t.equal(encodeKey(1n), encodeKey(1))
  t.not(encodeKey('1'), encodeKey(1))
  t.equal(decodeKey(encodeKey(2n ** 60n)), 2n ** 60n)
  t.strictSame(decodeKey(encodeKey({ b: 2n ** 60n, a: 'x' })), { a: 'x', b: 2n ** 60n })
})
