import { test } from 'tap'
import type { Outcome } from '../kind.ts'
import { summary } from '../report.ts'
import { runCases } from '../run-cases.ts'
import { compareOutputs } from './compare-outputs.ts'
import { streamsDifferential, streamsDifferentialNet } from './kind.ts'

const counted = {
  ...{ name: 'counts', family: 'f', compare: 'exact' },
  topology: [
    { id: 'a', op: 'table', topic: 'A', store: 's1' },
    { id: 'g', op: 'groupBy', in: 'a', key: ['value', 'g'], value: ['value'] },
    { id: 'c', op: 'count', in: 'g', store: 's2' },
    { id: 'o', op: 'toStream', in: 'c' },
    { op: 'to', in: 'o', topic: 'out' },
  ],
  sinks: { out: 'changelog' },
  inputs: [
    ['A', 'k', { g: 'x' }, 5],
    ['A', 'k', { g: 'y' }, 6],
  ],
  outputs: {
    out: [
      [1, 'x', 1, 5],
      [2, 'x', 0, 6],
      [2, 'y', 1, 6],
    ],
  },
  stores: {
    s1: [['k', { g: 'y' }, 6]],
    s2: [
      ['x', 0, 6],
      ['y', 1, 6],
    ],
  },
}

async function outcome(entry: unknown, kind = streamsDifferential): Promise<Outcome> {
  await using suite = await kind.open([entry], '')
  const [result] = await runCases(suite, () => {})
  return result!.outcome
}

test('a case passes if outputs and stores are what it says, in both ways of telling', async (t) => {
  t.strictSame(await outcome(counted), { result: 'passed' })
  t.strictSame(await outcome(counted, streamsDifferentialNet), { result: 'passed' })
})

test('each output and each stored row that differs is a difference', async (t) => {
  const out = [[1, 'x', 1, 5], counted.outputs.out[1], [2, 'y', 1, 7], [2, 'z', 1, 6]]
  const stores = { ...counted.stores, s2: [['x', 0, 6]] }
  const found = await outcome({ ...counted, outputs: { out }, stores })
  t.match(found, {
    result: 'failed',
    differences: [{ path: 'out[2]' }, { path: 'out[3]' }, { path: 'store s2[1]' }],
  })
})

const wrongs: Record<string, object> = {
  'the step shuffle is not understood': { op: 'shuffle', id: 'x' },
  'the fields speed are not understood': { op: 'toStream', id: 'x', in: 'a', speed: 1 },
  'there is no step z': { op: 'toStream', id: 'x', in: 'z' },
  'the expression sqrt is not understood': {
    ...{ op: 'filter', id: 'x', in: 'a', when: ['sqrt', ['key']] },
  },
  'suppress until Monday is not understood': { op: 'suppress', id: 'x', in: 'a', until: 'Monday' },
  'a full join table-table is not understood': {
    ...{ op: 'join', kind: 'table-table', type: 'full', left: 'a', right: 'a', value: ['key'] },
  },
}

for (const [message, step] of Object.entries(wrongs)) {
  test(`a case fails, because ${message}`, async (t) => {
    const found = await outcome({ ...counted, topology: [...counted.topology, step] })
    t.match(found, { result: 'failed', differences: [{ actual: message }] })
  })
}

test('a level or a sink that is not known fails the case', async (t) => {
  t.equal((await outcome({ ...counted, compare: 'roughly' })).result, 'failed')
  t.equal((await outcome({ ...counted, sinks: { out: 'pipe' } })).result, 'failed')
  t.equal((await outcome({ ...counted, wishes: [] })).result, 'failed')
  t.equal((await outcome('no case')).result, 'failed')
})

test('a run of a file is summed up', async (t) => {
  await using suite = await streamsDifferential.open([counted, { ...counted, name: 'other' }], 'o')
  t.equal(summary(await runCases(suite, () => {})), '2 passed, 0 failed, 0 skipped')
})

test('levels forgive what they say, and nothing else', async (t) => {
  const sinks = { out: 'changelog' } as const
  const steps = [
    [1, 'a', 1, 5],
    [1, 'b', 1, 5],
    [2, 'a', 1, 6],
    [3, 'a', 2, 7],
    [3, 'a', 3, 7],
  ] as const
  const swapped = { out: [steps[1], steps[0], ...steps.slice(2)] }
  const netted = { out: [steps[0], steps[1], steps[4]] }
  const expected = { sinks, outputs: { out: steps } }
  t.not(compareOutputs(expected, swapped, 'exact').length, 0)
  t.strictSame(compareOutputs(expected, swapped, 'perKey'), [])
  t.not(compareOutputs(expected, netted, 'perKey').length, 0)
  t.strictSame(compareOutputs(expected, netted, 'normal'), [])
  const events = { ...expected, sinks: { out: 'events' } as const }
  t.not(compareOutputs(events, netted, 'set').length, 0)
  t.not(compareOutputs(expected, { out: netted.out.slice(1) }, 'normal').length, 0)
})
