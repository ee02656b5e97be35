import fc from 'fast-check'
import { test } from 'tap'
import { canonicalJson } from '../../src/core/canonical-json.ts'

test('order of members, white space and escapes do not matter', async (t) => {
  t.equal(canonicalJson('{"b": [1, 2],\n"a":"\\u00e4"}'), canonicalJson('{"a":"ä","b":[1,2]}'))
})

test('every digit of a number counts', async (t) => {
  t.not(canonicalJson('{"n":9007199254740993}'), canonicalJson('{"n":9007199254740992}'))
  t.equal(canonicalJson('{"n":9007199254740993}'), '{"n":9007199254740993}')
})

test('it says the same as the text it came from', async (t) => {
  fc.assert(
    fc.property(fc.jsonValue({ noUnicodeString: false }), (value) => {
      const text = JSON.stringify(value)
      t.same(JSON.parse(canonicalJson(text)), JSON.parse(text))
      return canonicalJson(canonicalJson(text)) === canonicalJson(text)
    }),
    { numRuns: 200 },
  )
})
