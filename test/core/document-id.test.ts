import fc from 'fast-check'
import { test } from 'tap'
import { idTemplate, idTemplateOption, keyId } from '../../src/core/document-id.ts'

const bytes = (text: string) => Buffer.from(text)
const json = (value: unknown) => bytes(JSON.stringify(value))

test('a key of one column is its text, verbatim', async (t) => {
  t.equal(keyId(bytes('{"id":1}')), '1')
  t.equal(keyId(bytes(' { "id" : 9223372036854775807 } ')), '9223372036854775807')
  t.equal(keyId(json({ id: 'a/b%"\\ü🛒' })), 'a/b%"\\ü🛒')
  t.equal(keyId(bytes('{"id":"\\u00fc\\n"}')), 'ü\n')
  t.equal(keyId(bytes('{"id":true}')), 'true')
})

test('NULL in a key is not the text "null"', async (t) => {
  t.not(keyId(json({ id: null })), keyId(json({ id: 'null' })))
})

test('a bare scalar is its text', async (t) => {
  t.equal(keyId(bytes('12345678901234567890')), '12345678901234567890')
  t.equal(keyId(json('a/b')), 'a/b')
})

test('columns of a composite key are joined by a slash, with escapes', async (t) => {
  t.equal(keyId(json({ shop: 1, id: 'a' })), '1/a')
  t.equal(keyId(json({ a: 'x', b: 'y/z%' })), 'x/y%2Fz%25')
})

test('a key that is not JSON, or has no columns, is a SyntaxError', async (t) => {
  t.throws(() => keyId(bytes('')), SyntaxError)
  t.throws(() => keyId(bytes('{}')), SyntaxError)
  t.throws(() => keyId(bytes('{"id":"a')), SyntaxError)
})

const text = fc.oneof(
  fc.string({ unit: 'grapheme' }),
  fc.string({ unit: fc.constantFrom('/', '%', ':', '-', '2', 'F', '5', 'x') }),
)
const columns = fc.tuple(text, text, text)

test('no two composite keys share an id', async (t) => {
  for (const template of [
    undefined,
    'order:{a}:{b}-x-{c}',
    '{c}/{a} to {b}',
    '{{{a}}}:{b}/x/{c}',
  ]) {
    const idOf = template === undefined ? keyId : idTemplate(template)
    const property = fc.property(columns, columns, ([a, b, c], [d, e, f]) => {
      const same = a === d && b === e && c === f
      return (idOf(json({ a, b, c })) === idOf(json({ a: d, b: e, c: f }))) === same
    })
    t.doesNotThrow(() => fc.assert(property, { numRuns: 500 }))
  }
})

test('parts that trade places around their separator make different ids', async (t) => {
  const part = fc.string({ unit: fc.constantFrom('/', '%', '2', 'F', ':', '3', 'A') })
  const property = fc.property(part, part, part, (x, y, z) => {
    for (const [idOf, mark] of [
      [keyId, '/'],
      [idTemplate('{a}:{b}'), ':'],
    ] as const) {
      const left = idOf(json({ a: x + mark + y, b: z }))
      if (left === idOf(json({ a: x, b: y + mark + z }))) return false
    }
    return true
  })
  t.doesNotThrow(() => fc.assert(property, { numRuns: 1000 }))
})

test('a template is filled from the key, in its own order', async (t) => {
  t.equal(idTemplate('order:{id}')(json({ id: 'a/b:c%' })), 'order:a/b:c%')
  t.equal(idTemplate('{id}@{shop}')(json({ shop: 'x@y', id: 7 })), '7@x@y')
  t.equal(idTemplate('{a}@{b}')(json({ a: 'x@y', b: 7 })), 'x%40y@7')
  t.equal(idTemplate('{{{id}}}')(json({ id: 7 })), '{7}')
})

test('a template must name the columns of the key, all of them and no others', async (t) => {
  const key = json({ shop: 1, id: 2 })
  for (const template of ['{id}', '{shop}/{number}', '{shop}/{id}/{total}']) {
    t.throws(() => idTemplate(template)(key), { code: 'CONFIG_INVALID', message: /shop, id/ })
  }
})

test('a template by which keys could collide is a fault of the configuration', async (t) => {
  const option = idTemplateOption('The id.')
  t.ok(option.safeParse('order:{shop}/{id}').success)
  for (const template of ['order', '{a}{b}', '{a}x{b}', '{a}%{b}', 'order:{id', '}', '{}']) {
    t.notOk(option.safeParse(template).success, template)
  }
})

test('a template of one column says of every key what the key says itself', (t) => {
  const name = fc.constantFrom('id', 'é', 'a "b"', 'x:')
  const value = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.string({ unit: fc.constantFrom('a', '"', '\\', '}', '{', ' ', '\u007f', '\t') }),
    fc.integer(),
    fc.double({ noNaN: true, noDefaultInfinity: true }),
    fc.constantFrom(null, true, ''),
  )
  const indent = fc.constantFrom(undefined, 1)
  const property = fc.property(name, value, indent, (name, value, indent) => {
    const key = Buffer.from(JSON.stringify({ [name]: value }, null, indent))
    return idTemplate(`{${name}}`)(key) === keyId(key)
  })
  t.doesNotThrow(() => fc.assert(property, { numRuns: 2000 }))
  const two = Buffer.from('{"id":1,"shop":2}')
  t.throws(() => idTemplate('{id}')(two), { code: 'CONFIG_INVALID' })
  t.equal(idTemplate('{id}')(Buffer.from('{"id":"a","id":"b"}')), 'a')
  t.end()
})
