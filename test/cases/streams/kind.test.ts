import { test } from 'tap'
import type { Outcome } from '../kind.ts'
import { runCases } from '../run-cases.ts'
import { streams } from './kind.ts'

const window = { window: 'tumbling', sizeMs: 10, advanceMs: 10, graceMs: 0 }
const counted = {
  ...{ name: 'counts', kind: 'tumbling-count', source: 'here', modelChecked: true },
  params: { ...window, aggregate: 'count', emit: 'update', cache: false, topology: 'in words' },
  inputs: [
    { topic: 'in', key: 'a', value: 'x', ts: 1 },
    { topic: 'in', key: 'a', value: 'y', ts: 2 },
  ],
  expected: [
    { key: 'a', value: 1, ts: 1, window: { start: 0, end: 10 }, after: 1 },
    { key: 'a', value: 2, ts: 2, window: { start: 0, end: 10 }, after: 2 },
  ],
  checks: [
    { after: 1, from: 0, to: 1, mode: 'exact' },
    { after: 2, from: 1, to: 2, mode: 'exact' },
  ],
}

async function outcome(entry: unknown): Promise<Outcome> {
  await using suite = await streams.open([entry], '')
  const [result] = await runCases(suite, () => {})
  return result!.outcome
}

test('a case passes if every check finds what it expects', async (t) => {
  t.strictSame(await outcome(counted), { result: 'passed' })
})

test('an output too many, too few or other than expected fails the case', async (t) => {
  const checks = [{ after: 2, from: 0, to: 1, mode: 'exact' }]
  t.match(await outcome({ ...counted, checks }), {
    result: 'failed',
    differences: [{ path: 'after 2[1]', expected: undefined }],
  })
  const [first, second] = counted.expected
  const late = [first, { ...second, ts: 3 }]
  t.match(await outcome({ ...counted, expected: late }), { differences: [{ path: 'after 2[0]' }] })
  const nothing = { ...counted, inputs: [counted.inputs[0], { ...counted.inputs[1], key: null }] }
  t.match(await outcome(nothing), { differences: [{ path: 'after 2[0]', actual: undefined }] })
})

test('a check of a map looks at last values, one of a set at no order', async (t) => {
  const check = { after: 2, from: 0, to: 2 }
  const turned = counted.expected.toReversed()
  const set = { ...counted, expected: turned, checks: [{ ...check, mode: 'set' }] }
  t.equal((await outcome(set)).result, 'passed')
  const map = { ...counted, checks: [{ ...check, from: 1, mode: 'map' }] }
  t.equal((await outcome(map)).result, 'passed')
  t.equal((await outcome({ ...map, checks: [{ ...check, to: 1, mode: 'map' }] })).result, 'failed')
})

const wrongs: Record<string, object> = {
  'the kind tumbling-sum is not understood': { kind: 'tumbling-sum' },
  'the parameters speed are not understood': { params: { ...counted.params, speed: 1 } },
  'the parameter cache: true is not understood': { params: { ...counted.params, cache: true } },
  'the parameter sizeMs is missing': { params: { ...counted.params, sizeMs: undefined } },
  '"count per hour" is not understood': {
    params: { ...counted.params, aggregate: 'count per hour' },
  },
  'the mode vague is not understood': {
    checks: [{ after: 1, from: 0, to: 1, mode: 'vague' }],
  },
  'the case checks nothing': { checks: [] },
  'a check stands after input 9': { checks: [{ after: 9, from: 0, to: 0, mode: 'exact' }] },
  'the fields mood are not understood': { mood: 1 },
}

for (const [message, change] of Object.entries(wrongs)) {
  test(`a case fails, because ${message}`, async (t) => {
    const found = await outcome({ ...counted, ...change })
    t.match(found, { result: 'failed', differences: [{ actual: message }] })
  })
}

test('formulas are read as they stand, and an unknown name in one is a fault', async (t) => {
  const joined = {
    ...{ name: 'joins', kind: 'table-table-inner', source: 'here' },
    params: { cache: false, combine: 'left + "-" + right (null printed as "null")' },
    inputs: [
      { topic: 'inputTopicLeft', key: 0, value: 'A', ts: 1 },
      { topic: 'inputTopicRight', key: 0, value: 'a', ts: 2 },
    ],
    expected: [{ key: 0, value: 'A-a', after: 2 }],
    checks: [{ after: 2, from: 0, to: 1, mode: 'exact' }],
  }
  t.equal((await outcome(joined)).result, 'passed')
  const params = { cache: false, combine: 'left + middle' }
  t.match(await outcome({ ...joined, params }), {
    differences: [{ actual: /the name middle in .* is not understood/ }],
  })
})

test('reads of a versioned store are compared, and what writes are answered', async (t) => {
  const versioned = {
    ...{ name: 'versions', kind: 'versioned-store', source: 'here', checks: [] },
    params: { historyRetentionMs: 10, graceMs: 10, op: 'reads' },
    inputs: [
      { topic: 'store', key: 'k', value: 'a', ts: 20, returnsValidTo: null },
      { topic: 'store', key: 'k', value: 'b', ts: 9, returnsValidTo: 'rejected' },
    ],
    expected: [{ key: 'k', asOf: 25, value: 'a', ts: 20, validTo: null, after: 2 }],
  }
  t.equal((await outcome(versioned)).result, 'passed')
  const inputs = [versioned.inputs[0], { ...versioned.inputs[1], returnsValidTo: 20 }]
  t.match(await outcome({ ...versioned, inputs }), {
    differences: [{ path: /inputs\[1\]\.returnsValidTo/ }],
  })
})
