import fc from 'fast-check'
import { test } from 'tap'
import { ByteWriter } from '../../src/core/byte-writer.ts'
import { ChangeEncoder } from '../../src/core/encode-change.ts'
import { type Op, readEnvelope } from '../../src/core/envelope.ts'

const row = fc.option(fc.dictionary(fc.string({ unit: 'grapheme' }), fc.jsonValue()))
const op = fc.constantFrom<Op>('c', 'u', 'd', 'r', 't', 'm')

test('the parts of a change are found, in any order of its members and with any spaces', (t) => {
  const members = fc.record({
    before: row,
    after: row,
    op,
    source: fc.jsonValue(),
    ts_ms: fc.nat(),
  })
  const order = fc.shuffledSubarray(['before', 'after', 'op', 'source', 'ts_ms'], { minLength: 5 })
  fc.assert(
    fc.property(members, order, fc.constantFrom(undefined, 2), (change, order, indent) => {
      const entries = order.map((name) => [name, change[name as keyof typeof change]])
      const text = JSON.stringify(Object.fromEntries(entries), null, indent)
      const envelope = readEnvelope(Buffer.from(text))
      t.equal(envelope.op, change.op)
      t.same(parsed(envelope.before), change.before)
      t.same(parsed(envelope.after), change.after)
    }),
  )
  t.end()
})

test('members of other names and of the same length are passed over', (t) => {
  const text = '{"ot":1,"alter":{"a":1},"xp":2,"befall":{},"op":"u","after":{"b":2}}'
  const envelope = readEnvelope(Buffer.from(text))
  t.equal(envelope.op, 'u')
  t.equal(envelope.before, null)
  t.same(parsed(envelope.after), { b: 2 })
  t.end()
})

test('what is no change is a syntax error', (t) => {
  const wrong = ['', ' ', '1', '[]', '"op"', '{}', '{"after":{}}', '{"op":"c"', '{"op"', '{"op":']
  for (const text of [...wrong, '{"op":null}', '{"op":1}', '{"op":"c","after":']) {
    t.throws(() => readEnvelope(Buffer.from(text)), SyntaxError, text)
  }
  t.end()
})

test("a view's envelope is one that every reader of changes understands", (t) => {
  const origin = { release: '1.2', pipeline: 'shop"ü', view: 'orders' }
  const encoder = new ChangeEncoder(new ByteWriter(64), origin)
  const document = fc.option(fc.jsonValue().map((value) => Buffer.from(JSON.stringify({ value }))))
  fc.assert(
    fc.property(document, document, fc.nat(), fc.bigInt({ min: 0n }), (before, after, ms, at) => {
      const stamps = { timestamp: ms, processedAt: ms + 1, sequence: at }
      const value = encoder.encode({ before, after, ...stamps })
      const op = after === null ? 'd' : before === null ? 'c' : 'u'
      t.same(JSON.parse(String(value)), {
        before: parsed(before),
        after: parsed(after),
        source: {
          version: '1.2',
          connector: 'millrace',
          name: 'shop"ü',
          view: 'orders',
          ts_ms: ms,
          sequence: String(at),
        },
        op,
        ts_ms: ms + 1,
      })
      const envelope = readEnvelope(value)
      t.same([envelope.op, parsed(envelope.before)], [op, parsed(before)])
      t.same(parsed(envelope.after), parsed(after))
    }),
  )
  t.end()
})

function parsed(bytes: Uint8Array | null): unknown {
  return bytes && JSON.parse(String(Buffer.from(bytes)))
}
