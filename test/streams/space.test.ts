import fc from 'fast-check'
import { test } from 'tap'
import { ByteWriter } from '../../src/core/byte-writer.ts'
import { toKey } from '../../src/streams/key.ts'
import { MemoryStore } from '../../src/streams/memory-store.ts'
import { PairSpace, Space } from '../../src/streams/space.ts'

/** Holds keys to the length that a store promises. */
class CheckedStore extends MemoryStore {
  override put(key: Uint8Array, value: Uint8Array): void {
    if (key.length > 1_900) throw new RangeError(`a key of ${key.length} bytes`)
    super.put(key, value)
  }
}

const key = fc
  .oneof(
    fc.string({ unit: 'binary', maxLength: 30 }),
    fc.nat(200),
    fc.nat(3).map((n) => 'ü'.repeat(1_200) + n),
    fc.nat(3).map((n) => 'x'.repeat(897) + n),
  )
  .map((value) => toKey(typeof value === 'string' ? value.toWellFormed() : value)!)

test('a space gives back what was put, and shares nothing with its neighbours', (t) => {
  fc.assert(
    fc.property(fc.array(fc.tuple(key, fc.uint8Array({ maxLength: 9 }))), (entries) => {
      const store = new CheckedStore()
      const out = new ByteWriter(64)
      const [space, other] = [new Space(store, 1, out), new Space(store, 2, out)]
      const model = new Map(entries)
      for (const [key, value] of entries) space.put(key, value)
      for (const [key, value] of model) t.same(Buffer.from(space.get(key)!), Buffer.from(value))
      t.same([...other.entries()], [])
      const found = new Map([...space.entries()].map(([k, v]) => [k, [...v]]))
      t.same(found, new Map([...model].map(([k, v]) => [k, [...v]])))
      for (const key of model.keys()) space.delete(key)
      t.equal(store.size, 0)
    }),
  )
  t.end()
})

test('an index gives the second keys of one first key, and of no other', (t) => {
  fc.assert(
    fc.property(fc.array(fc.tuple(key, key)), (pairs) => {
      const store = new CheckedStore()
      const index = new PairSpace(store, 1, new ByteWriter(64))
      for (const [first, second] of pairs) index.put(first, second)
      for (const [first] of pairs) {
        const seconds = new Set(pairs.filter(([f]) => f === first).map(([, second]) => second))
        t.same(new Set(index.seconds(first)), seconds)
      }
      for (const [first, second] of pairs) index.delete(first, second)
      t.equal(store.size, 0)
    }),
  )
  t.end()
})
