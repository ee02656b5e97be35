import type { Json } from '../../../src/core/json.ts'
import { defineTopology } from '../../../src/streams/stream-topology.ts'
import { type TestRecord, testTopology } from '../../../src/streams/test-topology.ts'
import { CaseFault, type Difference } from '../difference.ts'
import { isObject, printJson } from '../json.ts'
import { compareLists } from '../streams-differential/compare-outputs.ts'
import type { Check, Expected, Params, StreamsCase } from './case.ts'
import { topologies } from './topologies.ts'
import { runVersionedStore } from './versioned-store.ts'

/** Plays a case's inputs one by one, and compares at every check what came out since the last. */
export function runCase(one: StreamsCase): Difference[] {
  if (one.kind === 'versioned-store') return runVersionedStore(one)
  if (one.checks.length === 0) throw new CaseFault('the case checks nothing')
  const topology = open(one)
  const differences: Difference[] = []
  const waiting = [...one.checks]
  for (const [i, { topic, key, value, ts }] of one.inputs.entries()) {
    if (topology.topics.has(topic)) topology.pipe(topic, { key, value, timestamp: ts })
    while (waiting[0]?.after === i + 1) {
      differences.push(...compareCheck(one, waiting.shift()!, topology.read()))
    }
  }
  if (waiting.length > 0) throw new CaseFault(`a check stands after input ${waiting[0]!.after}`)
  return differences
}

function open({ kind, params, inputs }: StreamsCase) {
  const build = topologies[kind]
  if (build === undefined) throw new CaseFault(`the kind ${kind} is not understood`)
  const topology = testTopology(
    defineTopology((scope) => build(params.withSource(inputs), scope)),
    { emission: 'perRecord' },
  )
  params.checkAllAsked()
  return topology
}

function compareCheck(
  { expected, params }: StreamsCase,
  check: Check,
  got: TestRecord[],
): Difference[] {
  const rows = expected.slice(check.from, check.to) as unknown as readonly Expected[]
  const path = `after ${check.after}`
  const wanted = rows.map((row) => printable(row))
  const actual = got.map((record, i) => asExpected(record, rows[i] ?? rows[0]))
  switch (check.mode) {
    case 'exact':
      if (isSlidingSorted(params, wanted)) return compareLists(wanted, byWindow(actual), path)
      return compareLists(wanted, actual, path)
    case 'set':
      return compareLists(sorted(wanted), sorted(actual), path)
    case 'map':
      return compareLists(lastOfKeys(wanted), lastOfKeys(actual), path)
    case 'sequence':
      return compareLists(wanted, actual.slice(0, wanted.length), path)
    default:
      throw new CaseFault(`the mode ${check.mode} is not understood`)
  }
}

type Printed = Readonly<Record<string, Json>>

function printable({ key, value, ts, window }: Expected): Printed {
  const at = ts === undefined ? {} : { ts }
  return { key, value, ...at, ...(window && { window }) }
}

/**
 * Kafka's tests of sliding windows sort what came out by key and window before they look at it, so
 * that later outputs stand before earlier ones; within a window the order is that of the outputs.
 */
function isSlidingSorted(params: Params, wanted: readonly Printed[]): boolean {
  return params.get('window') === 'sliding' && byWindow(wanted).every((row, i) => row === wanted[i])
}

function byWindow(rows: readonly Printed[]): readonly Printed[] {
  const start = ({ window }: Printed) => (window as Expected['window'])?.start ?? 0
  return rows.toSorted((a, b) => {
    const [x, y] = [String(a.key), String(b.key)]
    return x === y ? start(a) - start(b) : x < y ? -1 : 1
  })
}

/** With a time only where one is expected. */
function asExpected({ key, value, timestamp }: TestRecord, like: Expected | undefined): Printed {
  const at = like !== undefined && like.ts === undefined ? {} : { ts: timestamp }
  if (like?.window === undefined) return { key: windowText(key), value, ...at }
  const windowed = key as { readonly key: Json; readonly start: number; readonly end: number }
  const window = { start: windowed.start, end: windowed.end }
  return { key: windowed.key, value, ...at, window }
}

/** A windowed key where none is expected stands as Kafka prints it: `[k@0/10]`. */
function windowText(key: Json): Json {
  if (!isObject(key) || key.start === undefined) return key
  return `[${key.key}@${key.start}/${key.end}]`
}

function sorted(rows: readonly Printed[]): readonly Printed[] {
  const text = ({ key, value, ts, window }: Printed) =>
    printJson([key, window && Object.entries(window).sort(), value, ts])
  return rows.toSorted((a, b) => (text(a) < text(b) ? -1 : 1))
}

function lastOfKeys(rows: readonly Printed[]): readonly Printed[] {
  const text = ({ key, window }: Printed) => printJson([key, window])
  return sorted([...new Map(rows.map((row) => [text(row), row])).values()])
}
