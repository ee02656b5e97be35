import fc from 'fast-check'
import { test } from 'tap'
import { MemoryStore } from '../../../src/streams/memory-store.ts'
import { State } from '../../../src/streams/state.ts'

function space() {
  return new State(new MemoryStore()).ordered('s')
}

const part = fc.string({ minLength: 1, maxLength: 8 }).map((text) => JSON.stringify(text))

test('entries come back by all their parts, and by the first', async (t) => {
  fc.assert(
    fc.property(fc.array(fc.tuple(part, part)), fc.option(part), (pairs, wanted) => {
      const ordered = space()
      for (const [a, b] of pairs) ordered.put([a, b], `${a} ${b}`)
      for (const [a, b] of pairs) t.equal(ordered.get([a, b]), `${a} ${b}`)
      const first = wanted ?? pairs[0]?.[0] ?? '""'
      const found = [...ordered.scan([first])].map(([parts]) => parts.join())
      const expected = pairs.filter(([a]) => a === first).map((pair) => pair.join())
      t.strictSame(new Set(found), new Set(expected))
      t.equal(found.length, new Set(expected).size)
    }),
  )
})

test('a part that is another one’s beginning does not see its entries', async (t) => {
  const ordered = space()
  ordered.put(['1', 'a'], 'one')
  ordered.put(['12', 'a'], 'twelve')
  t.strictSame([...ordered.scan(['1'])], [[['1', 'a'], 'one']])
  t.strictSame(
    [...ordered.scan([], '1')].map(([, text]) => text),
    ['one', 'twelve'],
  )
})

test('a key of any length is kept whole', async (t) => {
  const ordered = space()
  const long = 'ä'.repeat(3_000)
  ordered.put([long, '1'], 'a')
  ordered.put([`${long}.`, '1'], 'b')
  t.equal(ordered.get([long, '1']), 'a')
  t.strictSame([...ordered.scan([long])], [[[long, '1'], 'a']])
  ordered.delete([long, '1'])
  t.equal(ordered.get([long, '1']), undefined)
  t.strictSame([...ordered.scan([])], [[[`${long}.`, '1'], 'b']])
})

test('whatever stays in memory, a space holds what was put into it last', async (t) => {
  const name = fc.constantFrom('1', '12', 'é', 'x'.repeat(600))
  const parts = fc.array(name, { minLength: 1, maxLength: 2 })
  const write = fc.record({ parts, value: fc.option(fc.string({ maxLength: 3 })) })
  const writes = fc.array(write, { maxLength: 60 })
  fc.assert(
    fc.property(writes, fc.constantFrom(0, 600, 1e6), (writes, cacheBytes) => {
      const store = new MemoryStore()
      const state = new State(store, cacheBytes)
      const space = state.ordered('s')
      const expected = new Map<string, string>()
      for (const { parts, value } of writes) {
        // Others who open the same space see the same.
        if (value === null) state.ordered('s').delete(parts)
        else space.put(parts, value)
        if (value === null) expected.delete(String(parts))
        else expected.set(String(parts), value)
        t.equal(space.get(parts), expected.get(String(parts)))
      }
      const held = [...new State(store).ordered('s').scan([])]
      t.strictSame(new Map(held.map(([parts, text]) => [String(parts), text])), expected)
      for (const { parts } of writes) {
        t.equal(space.get(parts), expected.get(String(parts)))
      }
    }),
  )
})
