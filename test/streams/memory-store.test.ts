import fc from 'fast-check'
import { test } from 'tap'
import { MemoryStore } from '../../src/streams/memory-store.ts'

const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant('put'), key: fc.nat(3_000) }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('delete'), key: fc.nat(3_000) }) },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constantFrom('commit', 'rollback'), key: fc.nat(0) }),
  },
)

test('a store in memory is a sorted map with a way back', (t) => {
  fc.assert(
    fc.property(fc.array(step, { size: '+2' }), (steps) => {
      const store = new MemoryStore()
      let [model, kept] = [new Set<string>(), new Set<string>()]
      for (const { do: what, key } of steps) {
        if (what === 'put') store.put(Buffer.from(String(key)), Buffer.from(`v${key}`))
        if (what === 'put') model.add(String(key))
        if (what === 'delete') store.delete(Buffer.from(String(key)))
        if (what === 'delete') model.delete(String(key))
        if (what === 'commit') store.commit()
        if (what === 'commit') kept = new Set(model)
        if (what === 'rollback') store.rollback()
        if (what === 'rollback') model = new Set(kept)
      }
      for (const prefix of ['', '1', '29']) {
        const found = [...store.scan(Buffer.from(prefix))].map(([k, v]) => `${k} ${v}`)
        const expected = [...model].filter((key) => key.startsWith(prefix)).sort()
        t.same(
          found,
          expected.map((key) => `${key} v${key}`),
        )
      }
    }),
    { numRuns: 60 },
  )
  t.end()
})

test('a scan goes on while its entries are deleted and others come', (t) => {
  const store = new MemoryStore()
  for (let i = 0; i < 2_000; i++) store.put(Buffer.from(String(10_000 + i)), Buffer.of(1))
  const seen = new Set<string>()
  for (const [key] of store.scan(Buffer.from('1'))) {
    seen.add(String(key))
    store.delete(key)
    store.put(Buffer.from(`0${key}`), Buffer.of(1))
  }
  t.equal(seen.size, 2_000)
  t.equal(store.size, 2_000)
  t.end()
})
