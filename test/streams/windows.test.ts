import fc from 'fast-check'
import { test } from 'tap'
import { hopping, session, sliding, tumbling, windowStarts } from '../../src/streams/windows.ts'

const anyWindows = fc
  .record({ advanceMs: fc.integer({ min: 1, max: 50 }), more: fc.integer({ min: 0, max: 200 }) })
  .map(({ advanceMs, more }) => hopping({ advanceMs, sizeMs: advanceMs + more }))

test('a time lies in every window that is named for it, and in no other', async (t) => {
  fc.assert(
    fc.property(anyWindows, fc.integer({ min: 0, max: 2_000 }), (windows, time) => {
      const wanted: number[] = []
      for (let start = 0; start <= time; start += windows.advanceMs) {
        if (time < start + windows.sizeMs) wanted.push(start)
      }
      t.strictSame(windowStarts(time, windows), wanted)
    }),
  )
})

test('a tumbling window follows the other', async (t) => {
  const windows = tumbling({ sizeMs: 10 })
  t.strictSame(windowStarts(9, windows), [0])
  t.strictSame(windowStarts(10, windows), [10])
})

test('windows that cannot be are refused with the number and its range', async (t) => {
  t.throws(() => tumbling({ sizeMs: 0 }), { message: /sizeMs is .* at least 1: not 0/ })
  t.throws(() => hopping({ sizeMs: 5, advanceMs: 6 }), {
    message: /advanceMs .* from 1 to 5: not 6/,
  })
  t.throws(() => sliding({ differenceMs: -1 }), { code: 'CONFIG_INVALID' })
  t.throws(() => session({ gapMs: 1.5 }), { message: /gapMs is a whole number/ })
  t.throws(() => session({ gapMs: 1, graceMs: -1 }), { message: /graceMs/ })
})
