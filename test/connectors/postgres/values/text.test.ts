import fc from 'fast-check'
import t from 'tap'
import { encodePlain } from './encode.ts'

/** Everything but NUL and lone surrogates, which no text of the server can hold. */
const text = fc
  .string({ unit: 'binary', maxLength: 300 })
  .map((value) => value.toWellFormed().replaceAll('\0', ''))

t.test('any text comes back from its JSON string, on one line', async (t) => {
  fc.assert(
    fc.property(text, (value) => {
      const encoded = encodePlain('text', value)
      return JSON.parse(encoded) === value && !/[\n\r]/.test(encoded)
    }),
  )
  for (const length of [0, 47, 48, 49, 63, 64, 65, 1000]) {
    const value = `${'ä'.repeat(length)}"\u0001\u007f\u2028`
    t.equal(JSON.parse(encodePlain('text', value)), value, `${length} characters before escapes`)
  }
})

t.test('json stays the same value, on one line', async (t) => {
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 4 }), fc.boolean(), (value, wide) => {
      const written = JSON.stringify(value, null, wide ? '\r\n\t' : 0)
      const encoded = encodePlain('json', written)
      return (
        JSON.stringify(JSON.parse(encoded)) === JSON.stringify(value) && !/[\n\r]/.test(encoded)
      )
    }),
  )
  const long = JSON.stringify(Array(500).fill('a\nb'), null, 2)
  t.equal(encodePlain('json', long), long.replaceAll('\n', ' '), 'also when it is long')
})

t.test('json keeps digits, duplicates and order', async (t) => {
  const value = '{"b":1.50,"a":12345678901234567890,"b":"\\u0000"}'
  t.equal(encodePlain('json', value), value)
})

t.test('bytes come back from their base64', async (t) => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), (value) => {
      const encoded = encodePlain('bytea', `\\x${Buffer.from(value).toString('hex')}`)
      return encoded === JSON.stringify(Buffer.from(value).toString('base64'))
    }),
  )
  t.pass('for any bytes')
})
