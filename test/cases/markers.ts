import type { Difference } from './difference.ts'
import { isObject, parseJson, printJson } from './json.ts'
import { at } from './path.ts'
import { matchesTstzrange } from './tstzrange.ts'

/** What markers look at beside the value in their place. */
export interface MarkerContext {
  /** The outcome that the paths of `$sameAs` lead through. */
  readonly root: unknown
  /** Values bound by name so far. */
  readonly bound: Map<string, unknown>
  /** What the database holds for a `$sql` at this path; undefined where it is not known. */
  readonly stored?: ReadonlyMap<string, unknown>
}

/** The same, and how whole values are compared: markers may stand inside of them, too. */
export interface Matching extends MarkerContext {
  exactly(expected: unknown, actual: unknown, path: string): Difference[]
}

interface Marker {
  readonly name: string
  readonly argument: unknown
  readonly whole: Readonly<Record<string, unknown>>
}

/** The marker that an expected value is, or undefined for an ordinary one. */
export function markerOf(expected: unknown): Marker | undefined {
  if (!isObject(expected)) return undefined
  const name = Object.keys(expected).find((key) => key.startsWith('$'))
  return name === undefined ? undefined : { name, argument: expected[name], whole: expected }
}

/** A marker that is not known differs from everything. */
export function matchMarker(
  { name, argument, whole }: Marker,
  actual: unknown,
  path: string,
  context: Matching,
): Difference[] {
  const unless = (matches: boolean) => (matches ? [] : [{ path, expected: whole, actual }])
  switch (name) {
    case '$any':
      return unless(argument === true && actual !== undefined && actual !== null)
    case '$absent':
      return unless(argument === true && actual === undefined)
    case '$int64':
      return unless(isInteger(actual) && String(actual) === argument)
    case '$gt':
      return unless(isNumber(actual) && isNumber(argument) && actual > argument)
    case '$matches':
      return unless(typeof actual === 'string' && new RegExp(String(argument), 'u').test(actual))
    case '$jsonString':
      return jsonString(argument, actual, path, context)
    case '$tstzrange':
      return unless(typeof actual === 'string' && matchesTstzrange(whole, actual))
    case '$bind':
      return bind(String(argument), actual, path, context)
    case '$sameAs':
      return sameAs(String(argument), actual, path, context)
    case '$sql':
      return stored(whole, actual, path, context)
    default:
      return [{ path, expected: whole, actual: `the marker ${name} is not understood` }]
  }
}

function isNumber(value: unknown): value is number | bigint {
  return typeof value === 'number' || typeof value === 'bigint'
}

function isInteger(value: unknown): boolean {
  return typeof value === 'bigint' || Number.isSafeInteger(value)
}

function jsonString(
  expected: unknown,
  actual: unknown,
  path: string,
  context: Matching,
): Difference[] {
  try {
    if (typeof actual === 'string') {
      return context.exactly(expected, parseJson(actual), path)
    }
  } catch {} // Not JSON: that is the difference.
  return [{ path, expected: { $jsonString: expected }, actual }]
}

function bind(name: string, actual: unknown, path: string, { bound }: MarkerContext): Difference[] {
  if (!bound.has(name) && actual !== undefined && actual !== null) bound.set(name, actual)
  const expected = bound.get(name)
  const same = expected !== undefined && printJson(expected) === printJson(actual)
  return same ? [] : [{ path, expected: expected ?? { $bind: name }, actual }]
}

function sameAs(source: string, actual: unknown, path: string, context: Matching): Difference[] {
  const expected = at(context.root, source)
  if (expected === undefined) return [{ path, expected: { $sameAs: source }, actual }]
  return context.exactly(expected, actual, path)
}

function stored(
  whole: Readonly<Record<string, unknown>>,
  actual: unknown,
  path: string,
  context: Matching,
): Difference[] {
  const expected = context.stored?.get(path)
  if (expected !== undefined) return context.exactly(expected, actual, path)
  return [{ path, expected: whole, actual: 'the stored column is not known' }]
}
