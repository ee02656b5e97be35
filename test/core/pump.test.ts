import { test } from 'tap'
import { MillraceError } from '../../src/core/errors.ts'
import { Meter } from '../../src/core/meter.ts'
import { type Pipe, pump, type Refused } from '../../src/core/pump.ts'
import type { Checkpoint, Outcome } from '../../src/core/sink.ts'
import type { Batch, Position } from '../../src/core/source.ts'

interface Item {
  readonly timestamp: number
}

/** A pipe that notes each step; `batches` come at once, then nothing more. */
function pipe(batches: readonly number[][], parts: Partial<Notes> = {}) {
  const steps: string[] = []
  const commits: Checkpoint[] = []
  const stored = parts.stored as Position | undefined
  const stop = new AbortController()
  const made: Pipe<Item> = {
    source: {
      name: 'numbers',
      knows: async () => parts.knows ?? true,
      async *read(from, signal) {
        steps.push(`read ${from}`)
        for (const [i, items] of batches.entries()) {
          const records = items.map((timestamp) => ({ timestamp }))
          yield { records, position: String(i + 1) as Position, complete: true }
        }
        await new Promise((resolve) => signal.addEventListener('abort', resolve))
      },
      ack: (position) => void steps.push(`ack ${position}`),
    },
    sink: {
      resume: async () => stored,
      clear: async () => void steps.push('clear'),
      async write({ records }: Batch<Item>): Promise<readonly Outcome[]> {
        steps.push(`write ${records.map(({ timestamp }) => timestamp)}`)
        return records.map(({ timestamp }) =>
          timestamp < 0 ? { code: 'negative', reason: 'too small' } : 'applied',
        )
      },
      async commit(checkpoint) {
        steps.push(`commit ${checkpoint.position}`)
        commits.push(checkpoint)
        if (commits.length >= (parts.stopAfter ?? batches.length)) stop.abort()
        if (parts.failAt === commits.length) throw new MillraceError('TARGET_CHANGED', 'Flushed.')
      },
      close: async () => {},
    },
    deadLetters: async (refused: readonly Refused<Item>[]) =>
      void steps.push(`dead ${refused.map(({ record, code }) => `${record.timestamp} ${code}`)}`),
    meter: new Meter(),
    ...(parts.idleMs !== undefined && { idleMs: parts.idleMs }),
  }
  return { made, steps, commits, signal: stop.signal }
}

interface Notes {
  readonly stored: string
  readonly knows: boolean
  readonly idleMs: number
  readonly stopAfter: number
  readonly failAt: number
}

test('the steps come in the order that loses nothing', async (t) => {
  const { made, steps, signal } = pipe([[1, 2], [-3]])
  await pump(made, signal)
  t.same(steps, [
    'read undefined',
    ...['write 1,2', 'commit 1', 'ack 1'],
    ...['write -3', 'dead -3 negative', 'commit 2', 'ack 2'],
  ])
  t.match(made.meter, { records: 3, applied: 2, dead: 1, batches: 2 })
})

test('reading goes on from the checkpoint', async (t) => {
  const { made, steps, signal } = pipe([[1]], { stored: '7' })
  await pump(made, signal)
  t.equal(steps[0], 'read 7')
})

test('a position that the source does not know begins a new generation', async (t) => {
  const { made, steps, signal } = pipe([[1]], { stored: '7', knows: false })
  await pump(made, signal)
  t.same(steps.slice(0, 2), ['clear', 'read undefined'])
})

test('a sink that has nothing to write commits again where it stands', async (t) => {
  const { made, steps, commits, signal } = pipe([[5]], { idleMs: 5, stopAfter: 3 })
  await pump(made, signal)
  t.same(steps.slice(1), ['write 5', 'commit 1', 'ack 1', 'commit 1', 'commit 1'])
  t.same(
    commits.map(({ timestamp }) => timestamp),
    [5, 5, 5],
  )
})

test('a target that was flushed while nothing was written is noticed', async (t) => {
  const { made, signal } = pipe([[5]], { idleMs: 5, stopAfter: 9, failAt: 2 })
  await t.rejects(pump(made, signal), { code: 'TARGET_CHANGED' })
})

test('a sink that allows it writes the next batch while one is committed', async (t) => {
  const { made, steps, signal } = pipe([[1], [2], [3]])
  const commit = made.sink.commit
  const sink = {
    ...made.sink,
    overlaps: true,
    commit: async (checkpoint: Checkpoint) => {
      await new Promise((resolve) => setTimeout(resolve, 5))
      await commit(checkpoint)
    },
  }
  await pump({ ...made, sink }, signal)
  const written = (step: string) => steps.indexOf(step)
  t.ok(written('write 2') < written('commit 1'))
  t.ok(written('write 3') > written('commit 1'), 'but no more than one')
  t.same(
    steps.filter((step) => /commit|ack/.test(step)),
    ['commit 1', 'ack 1', 'commit 2', 'ack 2', 'commit 3', 'ack 3'],
  )
})

test('a commit that fails beside the next write ends the pump once both are over', async (t) => {
  const { made, steps, signal } = pipe([[1], [2]], { failAt: 1 })
  const sink = { ...made.sink, overlaps: true }
  await t.rejects(pump({ ...made, sink }, signal), { code: 'TARGET_CHANGED' })
  t.notOk(steps.includes('commit 2'))
})
