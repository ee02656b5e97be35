import { parseInstant } from './instant.ts'

/**
 * Compares a range's text with `{"$tstzrange": [lower, upper], "bounds": "[)"}`. The text depends
 * on the session's time zone, so that the bounds are compared as instants, in microseconds.
 */
export function matchesTstzrange(
  expected: Readonly<Record<string, unknown>>,
  actual: string,
): boolean {
  const parts = /^([[(])"?([^",]*)"?,"?([^",]*)"?([\])])$/.exec(actual)
  if (parts === null || !Array.isArray(expected.$tstzrange)) return false
  const [, opening = '', lower = '', upper = '', closing = ''] = parts
  const [from, to] = expected.$tstzrange as readonly (string | null)[]
  if (opening + closing !== expected.bounds) return false
  return isInstant(lower, from ?? null) && isInstant(upper, to ?? null)
}

function isInstant(text: string, expected: string | null): boolean {
  if (expected === null || text === '') return expected === null && text === ''
  const instant = parseInstant(text)
  return instant !== undefined && instant === parseInstant(expected)
}
