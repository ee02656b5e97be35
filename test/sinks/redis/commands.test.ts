import fc from 'fast-check'
import t from 'tap'
import { Calls } from '../../../sinks/redis/calls.ts'
import { lettersOf, outcomeOf } from '../../../sinks/redis/forms/answer.ts'
import { hashFields } from '../../../sinks/redis/hash-fields.ts'
import { readStamp, stampLength, stampOf } from '../../../sinks/redis/stamp.ts'

const writer = { owner: 'abcde', generation: 1297 }

t.test('items are grouped into calls by slot, count and size', async (t) => {
  const slotOf = (key: string) => (key < 'm' ? 1 : 2)
  const calls = new Calls<string>({ head: ['9'], batchKeys: 2, slotOf })
  for (const key of ['a', 'z', 'b', 'c', 'y']) {
    const call = calls.at(key)
    call.items.push(key)
    if (key === 'z') call.bytes += 2 ** 20
  }
  t.same(
    calls.all.map(({ items }) => items),
    [['a', 'b'], ['z'], ['c'], ['y']],
  )
  t.same(calls.all[0]?.args, ['9'])
})

t.test('stamps have one width, and sort as their versions and ordinals do', async (t) => {
  const place = fc.record({
    version: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
    ordinal: fc.nat({ max: 2 ** 31 - 1 }),
    generation: fc.nat(),
  })
  const head = (stamp: string) => stamp.slice(0, 30)
  fc.assert(
    fc.property(place, place, fc.uint8Array({ maxLength: 40 }), (one, other, key) => {
      const first = stampOf({ ...one, key }, true, { owner: 'abcde', generation: one.generation })
      const second = stampOf({ ...other, key }, false, writer)
      const less =
        one.version < other.version ||
        (one.version === other.version && one.ordinal < other.ordinal)
      return first.length === stampLength && head(first) < head(second) === less
    }),
  )
  const key = Buffer.from('{"id":1}')
  const stamp = stampOf({ version: 2n ** 53n + 1n, ordinal: 12, key }, false, writer)
  t.match(stamp, /^000090071992547409930000000012u[0-9a-z]{6}abcde01$/)
  t.same(readStamp(stamp), { version: 2n ** 53n + 1n, deleted: false, owner: 'abcde' })
  t.equal(readStamp('no stamp'), undefined)
})

t.test('each letter of an answer is an item', async (t) => {
  t.equal(lettersOf('10', 2), '10')
  for (const answer of ['1', '100', 1, null]) {
    t.throws(() => lettersOf(answer, 2), { message: /a write script answered/ })
  }
  t.same([outcomeOf('1', 'a', 's'), outcomeOf('0', 'a', 's')], ['applied', 'stale'])
  t.match(outcomeOf('T', 'a', 's'), { code: 'WRONGTYPE', reason: /key a / })
  t.match(outcomeOf('S', 'a', 's'), { code: 'WRONGTYPE', reason: /key s / })
  t.throws(() => outcomeOf('x', 'a', 's'), { message: /a write script answered/ })
})

t.test('a hash holds what JSON.parse finds in a row', async (t) => {
  const scalar = fc.oneof(fc.string({ unit: 'binary' }), fc.double({ noNaN: true }), fc.boolean())
  const row = fc.dictionary(fc.string({ unit: 'grapheme' }), fc.option(scalar), { minKeys: 1 })
  fc.assert(
    fc.property(row, fc.constantFrom(undefined, 2), (row, indent) => {
      const fields = hashFields(Buffer.from(JSON.stringify(row, null, indent)))
      const expected = Object.entries(row)
        .filter(([, value]) => value !== null && Number.isFinite(value === true ? 1 : 0))
        .filter(([, value]) => typeof value !== 'number' || Number.isFinite(value))
        .flatMap(([name, value]) => [
          name,
          typeof value === 'string' ? value : JSON.stringify(value),
        ])
      t.same(
        fields?.map((field) => field.toString()),
        expected.length === 0 ? undefined : expected,
      )
    }),
    { numRuns: 300 },
  )
})

t.test('what is no object has no fields', async (t) => {
  for (const text of ['[1]', '"text"', '5', '{}', ' { "a" : null } ']) {
    t.equal(hashFields(Buffer.from(text)), undefined, text)
  }
})
