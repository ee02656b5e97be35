import { test } from 'tap'
import type { LogInfo } from '../../../src/core/log.ts'
import { Meter } from '../../../src/core/meter.ts'
import type { LogRecord } from '../../../src/core/record.ts'
import type { Batch, Position, Source } from '../../../src/core/source.ts'
import { Progress } from '../../../src/launcher/run/progress.ts'
import { encodePosition } from '../../../src/log/position.ts'
import { change } from '../pipeline-stand-ins.ts'

test('before anything is read, all there is lies ahead', async (t) => {
  t.same(new Progress().lag(info(5), ['a']), { records: 5, bytes: 0, seconds: null })
})

test('what is acknowledged is done; what is only held is not', async (t) => {
  const progress = new Progress()
  const meter = new Meter()
  const source = progress.follow(sourceOf([batch(0), batch(1), batch(2)]), meter)
  for await (const { position } of source.read(undefined, signal)) {
    if (position === batch(2).position) break
    source.ack(position)
  }
  t.equal(meter.state, 'running')
  const now = record(1).timestamp + 3000
  const size = (record(0).key?.length ?? 0) + (record(0).value?.length ?? 0)
  t.same(progress.lag(info(4), ['a'], now), { records: 2, bytes: 2 * size, seconds: 3 })
  t.same(progress.lag(info(2), ['a'], now), { records: 0, bytes: 0, seconds: 0 })
})

test('a reader that goes on where it was is not behind, though it has read nothing', async (t) => {
  const progress = new Progress()
  const source = progress.follow(sourceOf([]), new Meter())
  for await (const _ of source.read(at(5), signal)) t.fail('there is nothing to read')
  t.same(progress.lag(info(5), ['a']), { records: 0, bytes: 0, seconds: 0 })
  t.equal(progress.lag(info(6), ['a']).records, 6, 'at most what the topic holds')
})

test('topics that it does not read do not count', async (t) => {
  t.equal(new Progress().lag(info(5), ['b']).records, 0)
})

const { signal } = new AbortController()

function info(records: number): LogInfo {
  const partitions = [{ start: 0n, end: BigInt(records) }]
  const topic = { topic: 'a', partitions, sequence: BigInt(records), timestamp: 0 }
  return { topics: [topic], head: BigInt(records), groups: [] }
}

function record(offset: number): LogRecord {
  const place = { partition: 0, offset: BigInt(offset), sequence: BigInt(offset) }
  return { ...change('a', offset), ...place }
}

function batch(offset: number): Batch<LogRecord> {
  return { records: [record(offset)], position: at(offset + 1), complete: true }
}

function at(sequence: number): Position {
  return encodePosition({ start: 'ab', sequence, ordinal: 0 })
}

function sourceOf(batches: readonly Batch<LogRecord>[]): Source<LogRecord> {
  return {
    name: 'a',
    knows: async () => true,
    async *read() {
      yield* batches
    },
    ack: () => {},
  }
}
