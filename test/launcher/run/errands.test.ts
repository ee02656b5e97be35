import { setTimeout as sleep } from 'node:timers/promises'
import { test } from 'tap'
import { MillraceError } from '../../../src/core/errors.ts'
import { Meter } from '../../../src/core/meter.ts'
import { pump } from '../../../src/core/pump.ts'
import type { LogRecord } from '../../../src/core/record.ts'
import { RefusalGuard } from '../../../src/core/refusal-guard.ts'
import type { Checkpoint, Outcome, Sink } from '../../../src/core/sink.ts'
import type { Batch, Position, Source } from '../../../src/core/source.ts'
import { supervise } from '../../../src/core/supervise.ts'
import { Errands } from '../../../src/launcher/run/errands.ts'
import { batch, put } from '../../support/records.ts'

const never = new AbortController().signal

test('an errand is written between two batches, at the position of the first', async (t) => {
  const { errands, committed, feed, stop } = begin()
  feed([put(1, {})], 'one')
  await settled(() => committed.length === 1)
  t.same(await errands.write([put(9, {})], never), ['applied'])
  feed([put(2, {})], 'two')
  await settled(() => committed.length === 3)
  t.same(committed, ['one: 1', 'one: 9', 'two: 2'])
  await stop()
})

test('before anything was committed an errand waits', async (t) => {
  const { errands, committed, feed, stop } = begin()
  const written = errands.write([put(9, {})], never)
  await sleep(20)
  t.same(committed, [])
  feed([put(1, {})], 'one')
  t.same(await written, ['applied'])
  t.same(committed, ['one: 1', 'one: 9'])
  await stop()
})

test('an errand that a failure cut off is done after the restart', async (t) => {
  const { errands, committed, feed, stop, failures } = begin()
  feed([put(1, {})], 'one')
  await settled(() => committed.length === 1)
  failures.push('commit')
  t.same(await errands.write([put(9, {})], never), ['applied'])
  t.same(committed, ['one: 1', 'one: 9'])
  await stop()
})

test('refusals of an errand are for who sent it: the guard does not count them', async (t) => {
  const { errands, committed, feed, stop, guard } = begin()
  feed([put(1, {})], 'one')
  await settled(() => committed.length === 1)
  const bad = Array.from({ length: 500 }, (_, i) => put(`bad ${i}`, {}))
  const outcomes = await errands.write(bad, never)
  t.match(outcomes[0], { code: 'bad' })
  t.notOk(guard.isShut)
  await stop()
})

test('whoever has enough of waiting takes the errand back', async (t) => {
  const { errands, committed, feed, stop } = begin()
  await t.rejects(errands.write([put(9, {})], AbortSignal.abort(new Error('enough'))), {
    message: 'enough',
  })
  const late = new AbortController()
  const written = errands.write([put(9, {})], late.signal)
  late.abort(new Error('enough'))
  await t.rejects(written, { message: 'enough' })
  feed([put(1, {})], 'one')
  feed([put(2, {})], 'two')
  await settled(() => committed.length === 2)
  t.same(committed, ['one: 1', 'two: 2'])
  await stop()
})

/** A supervised pump, from batches that a test feeds to what has been committed. */
function begin() {
  const fed: Batch<LogRecord>[] = []
  const committed: string[] = []
  const failures: 'commit'[] = []
  let kept: Checkpoint | undefined
  let staged: readonly LogRecord[] = []
  const source: Source<LogRecord> = {
    name: 's',
    knows: async () => true,
    async *read(from, signal) {
      let at = fed.findIndex(({ position }) => position === from) + 1
      while (!signal.aborted) {
        if (at < fed.length) yield fed[at++]!
        else await sleep(1)
      }
    },
    ack: () => {},
  }
  const sink: Sink<LogRecord> = {
    resume: async () => kept?.position,
    clear: async () => {},
    async write({ records }): Promise<Outcome[]> {
      staged = records
      return records.map(({ key }) => {
        return String(key).includes('bad') ? { code: 'bad', reason: 'Bad.' } : 'applied'
      })
    },
    async commit(checkpoint) {
      if (failures.pop()) throw new MillraceError('CONNECTION_LOST', 'Gone.')
      kept = checkpoint
      const ids = staged.map(({ key }) => (JSON.parse(String(key)) as { id: unknown }).id)
      committed.push(`${checkpoint.position}: ${ids.join(' ')}`)
    },
    close: async () => {},
  }
  const errands = new Errands()
  const guard = new RefusalGuard()
  const meter = new Meter()
  const ends = new AbortController()
  const pipe = {
    source: errands.join(source),
    sink: errands.watch(sink, guard),
    deadLetters: async () => {},
    meter,
  }
  const running = supervise((signal) => pump(pipe, signal), meter, ends.signal)
  return {
    ...{ errands, committed, failures, guard },
    feed: (records: readonly LogRecord[], position: string) =>
      fed.push({ ...batch(records), position: position as Position }),
    async stop() {
      ends.abort()
      await running
    },
  }
}

async function settled(isSo: () => boolean): Promise<void> {
  while (!isSo()) await sleep(1)
}
