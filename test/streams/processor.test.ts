import { test } from 'tap'
import type { NewRecord } from '../../src/core/record.ts'
import { StreamTask } from '../../src/streams/stream-task.ts'
import { defineTopology, StreamTopology } from '../../src/streams/stream-topology.ts'
import { testTopology } from '../../src/streams/test-topology.ts'
import { Ticker } from '../../src/streams/ticker.ts'
import { tumbling } from '../../src/streams/windows.ts'
import { insert, TestLog } from './changes.ts'
import { MemoryTask } from './memory-task.ts'

/** Tells a session's clicks a minute of the clock after the first of them. */
const sessions = defineTopology(({ stream }) => {
  stream<{ session: string }>('clicks')
    .selectKey(({ session }) => session)
    .process<number, string>({
      stores: ['counts'],
      process({ key, timestamp }, { store, setTimer }) {
        const known = store('counts').get(key) as number | null
        if (known === null) setTimer(key, timestamp + 60_000, 'wall')
        store('counts').put(key, (known ?? 0) + 1)
      },
      onTimer({ name }, { store, forward }) {
        forward({ key: name, value: store('counts').get(name) })
        store('counts').delete(name)
      },
    })
    .to('sessions')
})

test('a processor has stores, and timers that a restart does not lose', (t) => {
  const topology = testTopology(sessions)
  topology.pipe('clicks', { key: 1, value: { session: 'a' } })
  topology.advance(30_000)
  topology.pipe('clicks', { key: 2, value: { session: 'a' } })
  t.equal(topology.store('counts').get('a'), 2)
  topology.restart()
  topology.advance(29_999)
  t.strictSame(topology.read(), [])
  topology.advance(1)
  t.strictSame(topology.read(), [{ topic: 'sessions', key: 'a', value: 2, timestamp: 60_000 }])
  t.equal(topology.store('counts').get('a'), null)
  topology.advance(60_000)
  t.strictSame(topology.read(), [])
  t.end()
})

test('a timer of the stream comes due with the records, and can be moved and cancelled', (t) => {
  const topology = testTopology(
    defineTopology(({ stream }) => {
      stream<number, string>('in')
        .process<string, string>({
          process({ key, value }, { setTimer, cancelTimer }) {
            if (value < 0) cancelTimer(key)
            else if (value > 0) setTimer(key, value)
          },
          onTimer({ name, at }, { forward, streamTime }) {
            forward({ key: name, value: `${at} at ${streamTime}` })
          },
        })
        .to('out')
    }),
  )
  topology.pipe('in', { key: 'a', value: 10, timestamp: 0 })
  topology.pipe('in', { key: 'b', value: 10, timestamp: 1 })
  topology.pipe('in', { key: 'c', value: 10, timestamp: 2 })
  topology.pipe('in', { key: 'a', value: 20, timestamp: 3 })
  topology.pipe('in', { key: 'b', value: -1, timestamp: 4 })
  topology.pipe('in', { key: 'x', value: 0, timestamp: 25 })
  t.strictSame(
    topology.read().map(({ key, value }) => [key, value]),
    [
      ['c', '10 at 25'],
      ['a', '20 at 25'],
    ],
  )
  t.end()
})

const perMinute = defineTopology(
  ({ stream }) => {
    stream<object, number>('clicks')
      .groupByKey()
      .windowedBy(tumbling({ sizeMs: 60_000 }), { emit: 'close' })
      .count()
      .toStream()
      .to('counts')
  },
  { idleMs: 5_000 },
)

test('in the test kit, windows close once nothing has come for so long', (t) => {
  const topology = testTopology(perMinute)
  topology.pipe('clicks', { key: 1, value: {} })
  topology.advance(64_000)
  t.strictSame(topology.read(), [])
  topology.advance(5_000)
  t.strictSame(
    topology.read('counts').map(({ value }) => value),
    [1],
  )
  t.end()
})

test('a tick is a record, written once when a timer is due, and read in its place', async (t) => {
  const [log, task, writer] = [new TestLog(), new MemoryTask(), new MemoryTask()]
  let now = 1_700_000_000_000
  const topology = new StreamTopology('minutes', perMinute)
  const running = new StreamTask({ topology, pipeline: 'p', task, release: '1', now: () => now })
  const topic = '__millrace.p.minutes.ticks'
  const isCaughtUp = async () => true
  const ticker = new Ticker({
    ...{ topic, writer, task: () => running, isCaughtUp, idleMs: 5_000, now: () => now },
  })
  await running.resume('test')
  log.commit(insert('clicks', { id: 1 }))
  const read = async (from: number) => {
    for (const batch of log.batches(from)) {
      await running.write(batch)
      await running.commit({ source: 'test', position: batch.position, timestamp: 0 })
    }
  }
  await read(0)
  await ticker.check()
  t.strictSame(writer.records, [], 'nothing is due')
  now += 70_000
  await ticker.check()
  await ticker.check()
  t.equal(writer.records.length, 1, 'one at a time')
  t.strictSame(task.records, [], 'nothing happens before the tick is read')
  log.append(writer.records[0]!)
  await read(1)
  t.match(bodyOf(task.records[0]!), { after: 1 })
  await ticker.check()
  t.equal(writer.records.length, 1, 'nothing is due any more')
})

function bodyOf({ value }: NewRecord): unknown {
  return JSON.parse(String(value))
}
