import fc from 'fast-check'
import { test } from 'tap'
import { defineTopology } from '../../../src/streams/stream-topology.ts'
import { testTopology } from '../../../src/streams/test-topology.ts'
import {
  hopping,
  session,
  sliding,
  type Windows,
  windowStarts,
} from '../../../src/streams/windows.ts'

interface Input {
  readonly key: string
  readonly value: number
  readonly timestamp: number
}

const inputs = fc.array(
  fc.record({
    key: fc.constantFrom('a', 'b'),
    value: fc.integer({ min: 1, max: 9 }),
    timestamp: fc.integer({ min: 0, max: 120 }),
  }),
  { maxLength: 40 },
)

/** Everything that a window holds, as sorted text; grace is so long that nothing is late. */
function contents(windows: Windows, all: readonly Input[]): Record<string, string> {
  const definition = defineTopology(({ stream }) => {
    stream<number, string>('in')
      .groupByKey()
      .windowedBy(windows)
      .aggregate<readonly number[]>({
        init: () => [],
        add: (list, value) => [...list, value],
        merge: (a, b) => [...a, ...b],
        store: 'windows',
      })
  })
  const topology = testTopology(definition)
  for (const input of all) {
    topology.pipe('in', input)
    topology.restart() // What is not in the state is lost here.
  }
  const entries = [...topology.store('windows').entries()]
  return Object.fromEntries(
    entries.map(({ key, start, end, value }) => [
      `${key}@${start}/${end}`,
      sorted(value as readonly number[]),
    ]),
  )
}

function sorted(values: readonly number[]): string {
  return values.toSorted((a, b) => a - b).join()
}

type Model = Record<string, string>
const graceMs = 1_000

function within(all: readonly Input[], key: string, start: number, last: number): Model {
  const held = all.filter((one) => {
    return one.key === key && one.timestamp >= start && one.timestamp <= last
  })
  return held.length === 0 ? {} : { held: sorted(held.map(({ value }) => value)) }
}

test('time windows hold the records of their time', async (t) => {
  const windows = hopping({ sizeMs: 15, advanceMs: 5, graceMs })
  fc.assert(
    fc.property(inputs, (all) => {
      const model: Model = {}
      for (const { key, timestamp } of all) {
        for (const start of windowStarts(timestamp, windows)) {
          model[`${key}@${start}/${start + 15}`] = within(all, key, start, start + 14).held!
        }
      }
      t.strictSame(contents(windows, all), model)
    }),
  )
})

test('sliding windows end at a record or begin right after one, in whatever order they come', async (t) => {
  const windows = sliding({ differenceMs: 10, graceMs })
  fc.assert(
    fc.property(inputs, (all) => {
      const model: Model = {}
      for (const { key, timestamp } of all) {
        for (const start of [Math.max(0, timestamp - 10), timestamp + 1]) {
          const { held } = within(all, key, start, start + 10)
          if (held !== undefined) model[`${key}@${start}/${start + 10}`] = held
        }
      }
      t.strictSame(contents(windows, all), model)
    }),
    { numRuns: 300 },
  )
})

test('sessions are the runs of records without a longer gap, in whatever order they come', async (t) => {
  const windows = session({ gapMs: 7, graceMs })
  fc.assert(
    fc.property(inputs, (all) => {
      const model: Model = {}
      for (const key of ['a', 'b']) {
        const times = all.filter((one) => one.key === key).map(({ timestamp }) => timestamp)
        times.sort((a, b) => a - b)
        for (let i = 0; i < times.length; i++) {
          const start = times[i]!
          while (i + 1 < times.length && times[i + 1]! - times[i]! <= 7) i++
          model[`${key}@${start}/${times[i]}`] = within(all, key, start, times[i]!).held!
        }
      }
      t.strictSame(contents(windows, all), model)
    }),
  )
})

test('a window told at its close is told once, with the last value an update would have told', async (t) => {
  const definition = (emit: 'update' | 'close') =>
    defineTopology(({ stream }) => {
      stream<number, string>('in')
        .groupByKey()
        .windowedBy(hopping({ sizeMs: 10, advanceMs: 10, graceMs: 5 }), { emit })
        .count()
        .toStream()
        .to('out')
    })
  fc.assert(
    fc.property(inputs, (all) => {
      const [updates, closes] = [definition('update'), definition('close')].map((one) => {
        const topology = testTopology(one)
        for (const input of all) topology.pipe('in', input)
        // Closes every window, its own excepted.
        topology.pipe('in', { key: 'last', value: 1, timestamp: 10_000 })
        return topology.read('out').filter(({ key }) => (key as { key: string }).key !== 'last')
      })
      const last = new Map(updates!.map(({ key, value }) => [JSON.stringify(key), value]))
      t.strictSame(new Map(closes!.map(({ key, value }) => [JSON.stringify(key), value])), last)
      t.equal(closes!.length, last.size)
    }),
  )
})
