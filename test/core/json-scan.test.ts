import fc from 'fast-check'
import { test } from 'tap'
import { endOfValue, skipSpace } from '../../src/core/json-scan.ts'

test('a value ends where it ends, whatever follows it', (t) => {
  const after = fc.constantFrom('', ',', '}', ']', ' ', '\n', ',"x":1}', ' }')
  const indent = fc.constantFrom(undefined, 1, '\t')
  fc.assert(
    fc.property(fc.jsonValue(), indent, after, fc.nat(3), (value, indent, after, spaces) => {
      const text = JSON.stringify(value, null, indent)
      const bytes = Buffer.from(`${' '.repeat(spaces)}${text}${after}`)
      const start = skipSpace(bytes, 0)
      t.equal(start, spaces)
      t.equal(bytes.toString('utf8', start, endOfValue(bytes, start)), text)
    }),
  )
  t.end()
})

test('quotes and brackets inside of texts end nothing', (t) => {
  for (const text of ['"a\\"b"', '"\\\\"', '["]",{"}":"\\\\\\""}]', '"ü\\u0022]"']) {
    const bytes = Buffer.from(`${text},1`)
    t.equal(bytes.toString('utf8', 0, endOfValue(bytes, 0)), text)
  }
  t.end()
})

test('a text ends at its quote, whatever its length and its escapes', (t) => {
  const piece = fc.constantFrom('a', '"', '\\', 'é', '\n', ' ')
  fc.assert(
    fc.property(fc.string({ unit: piece, maxLength: 60 }), (text) => {
      const json = JSON.stringify(text)
      const bytes = Buffer.from(`[${json},"x"]`)
      t.equal(endOfValue(bytes, 1), Buffer.byteLength(json) + 1)
    }),
  )
  t.end()
})

test('a value that does not end is a syntax error', (t) => {
  for (const text of ['"abc', '"abc\\"', '{"a":1', '[1,2', '["]"', '', ',']) {
    t.throws(() => endOfValue(Buffer.from(text), 0), SyntaxError, text)
  }
  t.end()
})
