import { test } from 'tap'
import type { SuppressBounds } from '../../../src/streams/flow/suppress.ts'
import { defineTopology } from '../../../src/streams/stream-topology.ts'
import { type TestTopology, testTopology } from '../../../src/streams/test-topology.ts'
import { tumbling } from '../../../src/streams/windows.ts'

function limited(limitMs: number, bounds: SuppressBounds = {}): TestTopology {
  return testTopology(
    defineTopology(({ table }) => {
      table<number, string>('in').suppress(limitMs, bounds).toStream().to('out')
    }),
    { emission: 'perRecord' },
  )
}

function pipe(topology: TestTopology, key: string, value: number | null, timestamp: number) {
  topology.restart()
  topology.pipe('in', { key, value, timestamp })
  return topology.read('out').map((record) => `${record.key}=${record.value}@${record.timestamp}`)
}

test('of the updates of a key within the limit only the last is told', async (t) => {
  const topology = limited(10)
  t.strictSame(pipe(topology, 'a', 1, 0), [])
  t.strictSame(pipe(topology, 'a', 2, 9), [])
  t.strictSame(pipe(topology, 'b', 1, 10), ['a=2@9'])
  t.strictSame(pipe(topology, 'b', null, 20), ['b=null@20'])
})

test('what may not be held back goes out early, the oldest first', async (t) => {
  const topology = limited(100, { maxRecords: 1, whenFull: 'emit' })
  t.strictSame(pipe(topology, 'a', 1, 0), [])
  t.strictSame(pipe(topology, 'a', 2, 1), [])
  t.strictSame(pipe(topology, 'b', 1, 2), ['a=2@1'])
})

test('without leave to go early, what is too much stops the view', async (t) => {
  const topology = limited(100, { maxBytes: 50 })
  pipe(topology, 'a', 1, 0)
  const tooMuch = () => {
    for (let i = 0; i < 9; i++) pipe(topology, `k${i}`, 1, i)
  }
  t.throws(tooMuch, { code: 'VIEW_FAILED', message: /holds back \d+ records of \d+ bytes/ })
})

test('a window is told once, when it can no longer change', async (t) => {
  const topology = testTopology(
    defineTopology(({ stream }) => {
      stream<number, string>('in')
        .groupByKey()
        .windowedBy(tumbling({ sizeMs: 10, graceMs: 5 }))
        .count()
        .filter((count) => count > 1)
        .suppressUntilClose()
        .toStream()
        .selectKey((_count, { key, start }) => `${key} from ${start}`)
        .to('out')
    }),
    { emission: 'perRecord' },
  )
  t.strictSame(pipe(topology, 'a', 1, 1), [])
  t.strictSame(pipe(topology, 'a', 1, 2), [])
  t.strictSame(pipe(topology, 'a', 1, 14), [])
  t.strictSame(pipe(topology, 'a', 1, 9), [])
  t.strictSame(pipe(topology, 'a', 1, 15), ['a from 0=3@9'])
})

test('a table without windows does not close', async (t) => {
  const wrong = defineTopology(({ table }) => {
    table('in').suppressUntilClose()
  })
  t.throws(() => testTopology(wrong), { code: 'CONFIG_INVALID', message: /in has no windows/ })
})
