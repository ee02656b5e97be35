import { compare, compareExactly } from '../compare.ts'
import { type Difference, fault } from '../difference.ts'
import { isObject, parseJson } from '../json.ts'
import type { MarkerContext } from '../markers.ts'
import { at } from '../path.ts'
import type { Expectation, ExpectedRecord } from './case.ts'
import { type Delivery, isControl } from './delivery.ts'

/** Compares the records of a case with those that it expects, one by one and in order. */
export function compareRecords(
  expected: readonly ExpectedRecord[],
  actual: readonly Delivery[],
  context: MarkerContext,
): Difference[] {
  const differences: Difference[] = []
  if (expected.length !== actual.length) {
    const summary = `${actual.length}: ${actual.map(describeDelivery).join(', ')}`
    differences.push({ path: 'records.length', expected: expected.length, actual: summary })
  }
  const count = Math.min(expected.length, actual.length)
  for (let i = 0; i < count; i++) {
    differences.push(...compareRecord(expected[i]!, actual[i]!, `records[${i}]`, context))
  }
  return differences
}

function describeDelivery({ topic, op, tombstone }: Delivery): string {
  return `${tombstone ? 'tombstone' : (op ?? 'record')} on ${topic}`
}

function compareRecord(
  { headers, key, tombstone, schemaParams, fieldType, ...fields }: ExpectedRecord,
  actual: Delivery,
  path: string,
  context: MarkerContext,
): Difference[] {
  const listed: Readonly<Record<string, unknown>> = { tombstone: tombstone === true, ...fields }
  const seen: Readonly<Record<string, unknown>> = { ...actual }
  const differences = Object.entries(listed).flatMap(([name, value]) =>
    compare(value, seen[name], `${path}.${name}`, { ...context, subset: true }),
  )
  // A key with one more column is another key.
  if (key !== undefined) {
    differences.push(...compareExactly(key, actual.key, `${path}.key`, context))
  }
  for (const [name, value] of Object.entries(headers ?? {})) {
    const header = readHeader(actual.headers[name], value)
    differences.push(...compareExactly(value, header, `${path}.headers.${name}`, context))
  }
  return differences
}

/** A header is text; where an object is expected, it is JSON. */
function readHeader(header: unknown, expected: unknown): unknown {
  if (typeof header !== 'string' || !isObject(expected)) return header
  try {
    return parseJson(header)
  } catch {
    return header
  }
}

/** What a case says of topics as a whole, and of values that must be the same. */
export function compareWhole(
  { countsByTopic = {}, noRecordsOn = [], sameAcross = [] }: Expectation,
  { all, records }: { readonly all: readonly Delivery[]; readonly records: readonly Delivery[] },
): Difference[] {
  const countOn = (topic: string) => all.filter((delivery) => delivery.topic === topic).length
  return [
    ...Object.entries(countsByTopic)
      .map(([topic, expected]) => ({ path: `count on ${topic}`, expected, actual: countOn(topic) }))
      .filter(({ expected, actual }) => expected !== actual),
    ...noRecordsOn
      .map((topic) => ({ path: `count on ${topic}`, expected: 0, actual: countOn(topic) }))
      .filter(({ actual }) => actual !== 0),
    ...sameAcross.flatMap((paths) => compareAcross(paths, { records })),
  ]
}

function compareAcross(paths: readonly string[], root: unknown): Difference[] {
  const [first = '', ...others] = paths
  const expected = at(root, first)
  if (expected === undefined) return [fault(first, 'it is not there')]
  return others
    .map((path) => ({ path, expected, actual: at(root, path) }))
    .filter(({ actual }) => actual !== expected)
}

/** Records of topics about the stream itself count only where a case speaks of them. */
export function withoutUnexpectedControl(
  expected: readonly ExpectedRecord[],
  actual: readonly Delivery[],
): Delivery[] {
  const left = new Map<string, number>()
  for (const { topic = '' } of expected) left.set(topic, (left.get(topic) ?? 0) + 1)
  return actual.filter((delivery) => {
    if (!isControl(delivery)) return true
    const { topic } = delivery
    const count = left.get(topic) ?? 0
    // A heartbeat repeats itself for as long as one listens.
    if (count > 0 && topic.startsWith('__debezium-heartbeat.')) left.set(topic, count - 1)
    return count > 0
  })
}
