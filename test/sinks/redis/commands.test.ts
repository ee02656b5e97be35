import fc from 'fast-check'
import t from 'tap'
import { decodeAnswer, encodeCalls, type Manner, stampOf } from '../../../sinks/redis/commands.ts'
import { hashFields } from '../../../sinks/redis/hash-fields.ts'
import { stampLength } from '../../../sinks/redis/scripts.ts'
import type { Document } from '../../../src/core/document.ts'

const manner: Manner = { kind: 'string', owner: 'abcdef', ttlMs: 0, deleteTtlMs: 9, batchKeys: 2 }

function document(id: string, body: string | null, more: Partial<Document> = {}): Document {
  const key = Buffer.from('{"id":1}')
  return {
    id,
    key,
    body: body === null ? null : Buffer.from(body),
    version: 5n,
    ordinal: 0,
    ...more,
  }
}

t.test('documents are grouped into calls of keys, stamps and contents', async (t) => {
  const { calls, refused } = encodeCalls(
    [document('a', '{}'), document('b', null), document('c', '{"x":1}')],
    { ...manner, ttlMs: 1000 },
  )
  t.same(refused, [])
  t.same(calls[0]?.keys, ['a', 'b', 'millrace:v{a}', 'millrace:v{b}'])
  t.match(calls[0]?.args, ['1000', '1009', '9', /u/, Buffer.from('{}'), /d/])
  t.equal(calls[0]?.args.length, 6, 'a delete has no content')
  t.same(calls[1]?.keys, ['c', 'millrace:v{c}'])
  t.equal(calls.length, 2)
})

t.test('large documents make small calls', async (t) => {
  const body = JSON.stringify('x'.repeat(700_000))
  const documents = Array.from({ length: 5 }, (_, i) => document(String(i), body))
  const { calls } = encodeCalls(documents, { ...manner, batchKeys: 100 })
  t.same(
    calls.map(({ documents }) => documents.length),
    [2, 2, 1],
  )
})

t.test('stamps have one width, and sort as their versions and ordinals do', async (t) => {
  const place = fc.record({
    version: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
    ordinal: fc.nat({ max: 2 ** 31 - 1 }),
  })
  const head = (stamp: string) => stamp.slice(0, 30)
  fc.assert(
    fc.property(place, place, fc.uint8Array({ maxLength: 40 }), (one, other, key) => {
      const first = stampOf(document('a', null, { ...one, key }), 'abcdef')
      const second = stampOf(document('a', '{}', { ...other, key }), 'abcdef')
      const less =
        one.version < other.version ||
        (one.version === other.version && one.ordinal < other.ordinal)
      return first.length === stampLength && head(first) < head(second) === less
    }),
  )
  t.equal(
    stampOf(document('a', '{}', { version: 2n ** 53n + 1n, ordinal: 12 }), 'abcdef'),
    '000090071992547409930000000012u0iywdz9abcdef',
  )
})

t.test('each letter of an answer is a document', async (t) => {
  const [call] = encodeCalls([document('a', '{}'), document('b', null)], manner).calls
  t.same(decodeAnswer(call!, '10'), ['applied', 'stale'])
  t.match(decodeAnswer(call!, 'TS'), [
    { code: 'WRONGTYPE', reason: /key a / },
    { code: 'WRONGTYPE', reason: /key millrace:v\{b\} / },
  ])
  for (const answer of ['1', '100', 'x1', 1, null]) {
    t.throws(() => decodeAnswer(call!, answer), { message: /a write script answered/ })
  }
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
