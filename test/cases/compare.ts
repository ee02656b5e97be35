import type { Difference } from './difference.ts'
import { isObject } from './json.ts'
import { type MarkerContext, markerOf, matchMarker } from './markers.ts'

export interface Comparison extends MarkerContext {
  /** Whether fields that are not listed are free; arrays are always compared whole. */
  readonly subset: boolean
}

/** Compares a value with an expected one, in which markers may stand for values. */
export function compare(
  expected: unknown,
  actual: unknown,
  path: string,
  comparison: Comparison,
): Difference[] {
  const marker = markerOf(expected)
  if (marker !== undefined) {
    const exactly = (whole: unknown, value: unknown, place: string) =>
      compareExactly(whole, value, place, comparison)
    return matchMarker(marker, actual, path, { ...comparison, exactly })
  }
  if (Array.isArray(expected)) return compareArrays(expected, actual, path, comparison)
  if (isObject(expected)) return compareObjects(expected, actual, path, comparison)
  return sameScalar(expected, actual) ? [] : [{ path, expected, actual }]
}

/** Compares the same way, but no field may be left over. */
export function compareExactly(
  expected: unknown,
  actual: unknown,
  path: string,
  context: MarkerContext,
): Difference[] {
  return compare(expected, actual, path, { ...context, subset: false })
}

function compareArrays(
  expected: readonly unknown[],
  actual: unknown,
  path: string,
  comparison: Comparison,
): Difference[] {
  if (!Array.isArray(actual)) return [{ path, expected, actual }]
  if (actual.length !== expected.length) {
    return [{ path: `${path}.length`, expected: expected.length, actual: actual.length }]
  }
  return expected.flatMap((item, i) => compare(item, actual[i], `${path}[${i}]`, comparison))
}

function compareObjects(
  expected: Readonly<Record<string, unknown>>,
  actual: unknown,
  path: string,
  comparison: Comparison,
): Difference[] {
  if (!isObject(actual)) return [{ path, expected, actual }]
  const extra = comparison.subset ? [] : Object.keys(actual).filter((name) => !(name in expected))
  return [
    ...Object.entries(expected).flatMap(([name, value]) =>
      compare(value, actual[name], `${path}.${name}`, comparison),
    ),
    ...extra.map((name) => ({
      ...{ path: `${path}.${name}`, expected: undefined, actual: actual[name] },
    })),
  ]
}

/** Two integers are compared digit by digit; where one side is a fraction, both as doubles. */
function sameScalar(expected: unknown, actual: unknown): boolean {
  if (typeof expected === 'bigint' && typeof actual === 'bigint') return expected === actual
  if (isNumeric(expected) && isNumeric(actual)) return Number(expected) === Number(actual)
  return expected === actual
}

function isNumeric(value: unknown): value is number | bigint {
  return typeof value === 'number' || typeof value === 'bigint'
}
