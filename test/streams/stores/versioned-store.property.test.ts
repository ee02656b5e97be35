import fc from 'fast-check'
import { test } from 'tap'
import { MemoryStore } from '../../../src/streams/memory-store.ts'
import { State } from '../../../src/streams/state.ts'
import { VersionedStore } from '../../../src/streams/stores/versioned-store.ts'

const historyMs = 20

function open(state: State): VersionedStore {
  const space = (part: string) => state.ordered(part)
  return new VersionedStore({
    ...{ latest: space('latest'), older: space('older'), time: space('time'), historyMs },
  })
}

const writes = fc.array(
  fc.record({
    value: fc.option(fc.integer({ min: 0, max: 9 })),
    timestamp: fc.integer({ min: 0, max: 60 }),
  }),
)

test('a read at a time gives the last value written at or before it', async (t) => {
  fc.assert(
    fc.property(writes, (all) => {
      const state = new State(new MemoryStore())
      const model = new Map<number, number | null>()
      let now = -1
      for (const { value, timestamp } of all) {
        // Opened anew each time: nothing is remembered elsewhere.
        const result = open(state).put('k', { value, timestamp })
        t.equal(result === 'rejected', timestamp < now - historyMs)
        if (result === 'rejected') continue
        now = Math.max(now, timestamp)
        model.set(timestamp, value)
      }
      const store = open(state)
      const times = [...model.keys()].sort((a, b) => a - b)
      t.equal(store.get('k')?.value ?? null, model.get(times.at(-1)!) ?? null)
      for (let asOf = Math.max(0, now - historyMs); asOf <= now + 1; asOf++) {
        const at = times.findLast((time) => time <= asOf)
        const wanted = at === undefined ? null : model.get(at)!
        const found = store.asOf('k', asOf)
        t.equal(found?.value ?? null, wanted)
        if (found !== null) t.equal(found.validTo, times.find((time) => time > asOf) ?? null)
      }
    }),
  )
})

test('history ends where it is no longer kept, the latest value does not', async (t) => {
  const store = open(new State(new MemoryStore()))
  store.put('k', { value: 'old', timestamp: 1 })
  store.put('other', { value: 'kept', timestamp: 1 })
  store.put('k', { value: 'new', timestamp: 50 })
  t.equal(store.asOf('k', 5), null)
  t.equal(store.asOf('other', 5)?.value, 'kept')
  t.strictSame(store.versions('k', 0, 100).length, 2)
  t.strictSame(store.versions('k', 0, 5), [])
})
