import fc from 'fast-check'
import t from 'tap'
import { keySlot } from '../../../sinks/redis/key-slot.ts'
import {
  defaultTemplate,
  documentKey,
  keyTemplate,
  memberOf,
  memberStampKey,
  placeOf,
  stampKey,
  stampPattern,
} from '../../../sinks/redis/keys.ts'

const text = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.string({ unit: fc.constantFrom('{', '}', '%', ':', '/', 'a', '2', '5', 'v') }),
)
const bytes = (key: unknown) => Buffer.from(JSON.stringify(key))

t.test('two keys never give one Redis key, and every key begins with the prefix', async (t) => {
  const templates = [
    'order:{a}:{b}',
    'order:{}',
    '{{order}}:{b}/{a}',
    'o{{{a}}}-{b}!',
    'x:%{a}%:{b}',
  ]
  const pair = fc.record({ a: text, b: text }, { noNullPrototype: true })
  for (const template of templates) {
    const { keyOf, prefix } = keyTemplate(template)
    fc.assert(
      fc.property(pair, pair, (one, other) => {
        const [first, second] = [keyOf(bytes(one)), keyOf(bytes(other))]
        const same = one.a === other.a && one.b === other.b
        return (first === second) === same && first.startsWith(prefix) && second.startsWith(prefix)
      }),
      { numRuns: 2000 },
    )
  }
  t.pass('for all')
})

t.test('a key with one column holds its text as it is', async (t) => {
  t.equal(keyTemplate('order:{id}').keyOf(bytes({ id: 42 })), 'order:42')
  t.equal(keyTemplate('order:{id}:doc').keyOf(bytes({ id: 'a:b/c%' })), 'order:a:b/c%:doc')
  t.equal(keyTemplate('order:{}').keyOf(bytes({ id: 'a:b' })), 'order:a:b')
  t.equal(keyTemplate('{{order:{id}}}').keyOf(bytes({ id: 1 })), '{order:1}')
  t.equal(keyTemplate(defaultTemplate('shop.{x}')).keyOf(bytes({ id: 1 })), 'shop.{x}:1')
})

t.test('a template that does not keep to its own keys is refused', async (t) => {
  for (const template of ['{id}', '{}', '{id}:order']) {
    t.throws(() => keyTemplate(template), { message: /must begin with a text/ }, template)
  }
  for (const template of ['millrace:{id}', 'mill{id}', 'millrace:v:{}']) {
    t.throws(() => keyTemplate(template), { message: /millrace's own/ }, template)
  }
  for (const template of ['', 'order', 'order:{', 'order:{}{id}', 'order:{a}{b}']) {
    t.throws(() => keyTemplate(template), SyntaxError, template)
  }
})

t.test('no stamp has the key of another one, and each names its document', async (t) => {
  fc.assert(
    fc.property(text, text, (one, other) => {
      t.equal(documentKey(stampKey(one)), one)
      return (stampKey(one) === stampKey(other)) === (one === other)
    }),
  )
})

t.test('a stamp lies in the cluster slot of its document', async (t) => {
  t.equal(keySlot('123456789'), 0x31c3)
  fc.assert(
    fc.property(text, (key) => {
      fc.pre(key !== '' && (!key.includes('}') || /^[^{]*\{[^}]+\}/s.test(key)))
      return keySlot(stampKey(key)) === keySlot(key)
    }),
  )
  t.equal(stampKey('order:1'), 'millrace:v{order:1}')
  t.equal(stampKey('order:{1}'), 'millrace:v:order:{1}')
})

t.test('a prefix with marks of a pattern matches itself only', async (t) => {
  t.equal(stampPattern('order:'), 'millrace:v[:{]order:*')
  t.equal(stampPattern('a*b?[c]\\^'), 'millrace:v[:{]a\\*b\\?\\[c\\]\\\\\\^*')
})

t.test('every sink and partition has a place of its own, in one slot', async (t) => {
  const context = { pipeline: 'shop', name: 'cache', topic: 'orders', partition: 0 }
  const { checkpoint, marker, owner } = placeOf(context)
  t.equal(checkpoint, 'millrace:{shop/cache/orders/0}:checkpoint')
  t.equal(keySlot(checkpoint), keySlot(marker))
  t.equal(owner.length, 5)
  t.not(placeOf({ ...context, partition: 1 }).owner, owner)
})

t.test('the stamp of a member names its set and the member', async (t) => {
  fc.assert(
    fc.property(text, text, (key, member) => {
      t.same(memberOf(memberStampKey(key, member)), [key, member])
    }),
  )
  t.equal(memberStampKey('order:1', 'x'), 'millrace:m7{order:1}x')
  t.equal(memberStampKey('order:{1}', 'x'), 'millrace:m9:order:{1}x')
})
