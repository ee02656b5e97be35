import t from 'tap'
import { CaseFault, fault } from './difference.ts'
import type { Outcome } from './kind.ts'
import { findKind } from './kinds.ts'
import { describeResult, resultsAsJson, summary } from './report.ts'
import { runCases } from './run-cases.ts'

function one(name: string, run: () => Promise<Outcome>) {
  return { name, group: 'g', run }
}

const passing = one('passes', async () => ({ result: 'passed' }))
const failing = one('differs', async () => ({
  result: 'failed',
  differences: [{ path: 'records[0].after.v', expected: 1n, actual: undefined }],
}))
const throwing = one('throws', async () => {
  throw new CaseFault('the connector has no option x')
})
const skipped = one('skips', async () => ({ result: 'skipped', reason: 'no extension y' }))

t.test('a run closes with its counts, and a case that throws has failed', async (t) => {
  const seen: string[] = []
  const cases = [passing, failing, throwing, skipped]
  const results = await runCases({ cases, atOnce: 2 }, ({ name }) => seen.push(name))
  t.equal(summary(results), '1 passed, 2 failed, 1 skipped')
  t.same(
    results.map(({ name }) => name),
    ['passes', 'differs', 'throws', 'skips'],
  )
  t.equal(seen.length, 4)
})

t.test('a failure is shown with path, expected and actual; a skip with its reason', async (t) => {
  const results = await runCases({ cases: [failing, throwing, skipped], atOnce: 1 }, () => {})
  const [differs, throws, skips] = results.map(describeResult)
  t.match(differs, /records\[0\]\.after\.v\n +expected 1\n +actual +nothing/)
  t.match(throws, 'case: the connector has no option x')
  t.match(skips, 'no extension y')
})

t.test('the results can be read by a program', async (t) => {
  const results = await runCases({ cases: [passing, failing], atOnce: 1 }, () => {})
  const { failed, cases } = JSON.parse(resultsAsJson('k', 'f.json', results))
  t.equal(failed, 1)
  t.match(cases, [{ name: 'passes', result: 'passed' }, { differences: [{ expected: 1 }] }])
})

t.test('an unknown kind is an error that lists the known ones', async (t) => {
  t.throws(() => findKind('postgres'), { message: /'postgres'.*Known: postgres-source/ })
  t.equal(findKind('postgres-source').name, 'postgres-source')
})

t.test('a difference without a value is a sentence', async (t) => {
  const result = {
    ...passing,
    ms: 1,
    outcome: { result: 'failed', differences: [fault('p', 's')] },
  }
  t.equal(describeResult(result as never), 'FAILED: passes\n  p: s\n')
})
