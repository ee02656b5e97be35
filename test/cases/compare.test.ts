import t from 'tap'
import { compare, compareExactly } from './compare.ts'
import { parseJson } from './json.ts'

function context(root: unknown = {}, stored = new Map<string, unknown>()) {
  return { root, stored, bound: new Map<string, unknown>(), subset: true }
}

/** Paths at which JSON texts differ. */
function differences(expected: string, actual: string, root: unknown = {}): string[] {
  const found = compare(parseJson(expected), parseJson(actual), 'v', context(root))
  return found.map(({ path }) => path)
}

const same = (expected: string, actual: string, root?: unknown) =>
  differences(expected, actual, root).length === 0

t.test('fields that are not listed are free, and listed ones must match', async (t) => {
  t.ok(same('{"a":1}', '{"a":1,"b":2}'))
  t.same(differences('{"a":1}', '{"a":2}'), ['v.a'])
  t.same(differences('{"a":null}', '{}'), ['v.a'])
  t.same(differences('{"a":{"b":"x"}}', '{"a":{"b":"y"}}'), ['v.a.b'])
  t.same(differences('{"a":1}', 'null'), ['v'])
})

t.test('a key is compared whole', async (t) => {
  const found = compareExactly({ id: 1 }, { id: 1, line: 2 }, 'key', context())
  t.same(
    found.map(({ path }) => path),
    ['key.line'],
  )
})

t.test('arrays are compared whole and in order', async (t) => {
  t.ok(same('[1,"a",null]', '[1,"a",null]'))
  t.same(differences('[1,2]', '[1,2,3]'), ['v.length'])
  t.same(differences('[1,2]', '[2,1]'), ['v[0]', 'v[1]'])
  t.same(differences('[1]', '{"0":1}'), ['v'])
})

t.test('integers are compared by their digits, fractions as doubles', async (t) => {
  t.ok(same('9007199254740993', '9007199254740993'))
  t.notOk(same('9007199254740993', '9007199254740992'))
  t.ok(same('10.0', '10'))
  t.ok(same('9.223372036854776e+16', '92233720368547760'))
  t.notOk(same('3.3', '3.30001'))
  t.notOk(same('1', '"1"'))
  t.notOk(same('1', 'true'))
})

t.test('$int64 is an integer with exactly these digits', async (t) => {
  const expected = '{"$int64":"601060312290123457"}'
  t.ok(same(expected, '601060312290123457'))
  t.notOk(same(expected, '601060312290123456'))
  t.notOk(same(expected, '"601060312290123457"'))
  t.ok(same('{"$int64":"5"}', '5'))
  t.notOk(same('{"$int64":"5"}', '5.5'))
})

t.test('$absent is a field that is not there', async (t) => {
  t.ok(same('{"a":{"$absent":true}}', '{}'))
  t.notOk(same('{"a":{"$absent":true}}', '{"a":null}'))
})

t.test('$any is a value that is there and not null', async (t) => {
  t.ok(same('{"a":{"$any":true}}', '{"a":0}'))
  t.notOk(same('{"a":{"$any":true}}', '{"a":null}'))
  t.notOk(same('{"a":{"$any":true}}', '{}'))
})

t.test('$gt is a greater number', async (t) => {
  t.ok(same('{"$gt":0}', '1'))
  t.ok(same('{"$gt":0}', '9007199254740993'))
  t.notOk(same('{"$gt":0}', '0'))
  t.notOk(same('{"$gt":0}', '"1"'))
})

t.test('$matches is a text that fits an expression', async (t) => {
  t.ok(same('{"$matches":"^a+$"}', '"aa"'))
  t.notOk(same('{"$matches":"^a+$"}', '"ab"'))
  t.notOk(same('{"$matches":"1"}', '1'))
})

t.test('$jsonString is a text that parses to the value, whole', async (t) => {
  t.ok(same('{"$jsonString":{"a":"b"}}', '"{ \\"a\\": \\"b\\" }"'))
  t.notOk(same('{"$jsonString":{"a":"b"}}', '"{\\"a\\":\\"c\\"}"'))
  t.notOk(same('{"$jsonString":{"a":"b"}}', '"{\\"a\\":\\"b\\",\\"x\\":1}"'))
  t.notOk(same('{"$jsonString":{"a":"b"}}', '{"a":"b"}'))
  t.notOk(same('{"$jsonString":{"a":"b"}}', '"{"'))
})

t.test('$tstzrange compares bounds as instants, in any offset', async (t) => {
  const from = '"2017-06-05T11:29:12.549426Z"'
  const open = `{"$tstzrange":[${from},null],"bounds":"[)"}`
  t.ok(same(open, '"[\\"2017-06-05 11:29:12.549426+00\\",)"'))
  t.ok(same(open, '"[\\"2017-06-05 13:29:12.549426+02\\",)"'))
  t.ok(same(open, '"[\\"2017-06-05 07:59:12.549426-03:30\\",)"'))
  t.notOk(same(open, '"[\\"2017-06-05 11:29:12.549427+00\\",)"'))
  t.notOk(same(open, '"(\\"2017-06-05 11:29:12.549426+00\\",)"'))
  t.notOk(same(open, '"[,\\"2017-06-05 11:29:12.549426+00\\")"'))
  t.notOk(same(open, '"empty"'))
})

t.test('$bind is the same value everywhere', async (t) => {
  const expected = '[{"$bind":"tx"},{"$bind":"tx"}]'
  t.ok(same(expected, '["7:1","7:1"]'))
  t.same(differences(expected, '["7:1","7:2"]'), ['v[1]'])
  t.same(differences(expected, '[null,null]'), ['v[0]', 'v[1]'])
})

t.test('$sameAs is the value at another place', async (t) => {
  const root = { records: [{ after: { text: 'long' } }] }
  t.ok(same('{"$sameAs":"records[0].after.text"}', '"long"', root))
  t.notOk(same('{"$sameAs":"records[0].after.text"}', '"short"', root))
  t.notOk(same('{"$sameAs":"records[1].after.text"}', '"long"', root))
})

t.test(
  '$sql is what the database holds, and nothing matches where that is not known',
  async (t) => {
    const expected = { $sql: 'SELECT v FROM t' }
    const known = context({}, new Map([['v', ['a']]]))
    t.same(compare(expected, ['a'], 'v', known), [])
    t.equal(compare(expected, ['b'], 'v', known).length, 1)
    t.equal(compare(expected, ['a'], 'v', context()).length, 1)
  },
)

t.test('a marker that is not known differs from everything', async (t) => {
  t.notOk(same('{"$almost":1}', '1'))
  t.notOk(same('{"$almost":1}', '{"$almost":1}'))
})
