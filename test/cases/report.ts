import type { Difference } from './difference.ts'
import { printJson } from './json.ts'
import type { CaseResult } from './run-cases.ts'

/** Longer values are cut: a difference shall be readable. */
const widthOfValue = 300

export function countResults(results: readonly CaseResult[]) {
  const count = (result: string) =>
    results.filter(({ outcome }) => outcome.result === result).length
  return { passed: count('passed'), failed: count('failed'), skipped: count('skipped') }
}

/** The line that closes a run. */
export function summary(results: readonly CaseResult[]): string {
  const { passed, failed, skipped } = countResults(results)
  return `${passed} passed, ${failed} failed, ${skipped} skipped`
}

/** A case that did not pass, with every difference; nothing for one that passed. */
export function describeResult({ name, outcome }: CaseResult): string {
  if (outcome.result === 'passed') return ''
  if (outcome.result === 'skipped') return `skipped: ${name}\n  ${outcome.reason}\n`
  return `FAILED: ${name}\n${outcome.differences.map(describeDifference).join('')}`
}

function describeDifference({ path, expected, actual }: Difference): string {
  if (expected === undefined && typeof actual === 'string') return `  ${path}: ${actual}\n`
  return `  ${path}\n    expected ${short(expected)}\n    actual   ${short(actual)}\n`
}

function short(value: unknown): string {
  const text = printJson(value)
  return text.length <= widthOfValue ? text : `${text.slice(0, widthOfValue)}… (${text.length})`
}

/** For programs: counts, and what became of every case. */
export function resultsAsJson(kind: string, file: string, results: readonly CaseResult[]): string {
  const cases = results.map(({ name, group, ms, outcome }) => ({ name, group, ms, ...outcome }))
  const text = printJson({ kind, file, ...countResults(results), cases })
  return `${text}\n`
}

/** Shows how far a run is, where somebody looks. */
export function showProgress(stream: NodeJS.WriteStream, total: number) {
  return (count: number, failed: number, name: string): void => {
    if (!stream.isTTY) return
    const line = `${count}/${total}, ${failed} failed  ${name}`
    stream.write(`\r\x1b[K${count === total ? '' : line.slice(0, (stream.columns ?? 80) - 1)}`)
  }
}
