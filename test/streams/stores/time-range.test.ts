import fc from 'fast-check'
import { test } from 'tap'
import { MemoryStore } from '../../../src/streams/memory-store.ts'
import { State } from '../../../src/streams/state.ts'
import { timeRange } from '../../../src/streams/stores/time-range.ts'
import { timeOf, timePrefixes, timeText } from '../../../src/streams/stores/time-text.ts'

const time = fc.oneof(
  fc.nat(300),
  fc.nat({ max: 2 ** 41 }),
  fc.constantFrom(0xfff, 0x1000, 2 ** 40),
)

test('the texts of times have the order of the times', async (t) => {
  fc.assert(
    fc.property(time, time, (a, b) => {
      t.equal(timeText(a) < timeText(b), a < b)
      t.equal(timeOf(timeText(a)), a)
    }),
  )
})

test('at most two prefixes hold a range, and not much more', async (t) => {
  fc.assert(
    fc.property(time, fc.nat(5_000), (from, width) => {
      const prefixes = timePrefixes(from, from + width)
      t.ok(prefixes.length <= 2)
      const held = prefixes.reduce((sum, prefix) => sum + 16 ** (12 - prefix.length), 0)
      t.ok(held < 32 * (width + 1) || held <= 2)
      for (const one of [from, from + Math.floor(width / 2), from + width]) {
        t.ok(prefixes.some((prefix) => timeText(one).startsWith(prefix)))
      }
    }),
  )
})

test('a range has exactly the entries of its times, in order', async (t) => {
  fc.assert(
    fc.property(fc.array(time), time, fc.nat(5_000), (times, from, width) => {
      const space = new State(new MemoryStore()).ordered('s')
      for (const one of times) space.put(['k', timeText(one), 'x'], '')
      space.put(['kk', timeText(from)], '')
      const found = [...timeRange(space, ['k'], from, from + width)].map(([one]) => one)
      const wanted = new Set(times.filter((one) => one >= from && one <= from + width))
      t.strictSame(
        found,
        [...wanted].sort((a, b) => a - b),
      )
    }),
  )
})
