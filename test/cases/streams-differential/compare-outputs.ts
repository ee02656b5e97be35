import type { Json } from '../../../src/core/json.ts'
import type { Difference } from '../difference.ts'
import { printJson } from '../json.ts'
import type { CaseOutput, CompareLevel, DifferentialCase } from './case.ts'
import { same } from './expression.ts'

type Outputs = Readonly<Record<string, readonly CaseOutput[]>>

/** Compares what came out of every topic, as strictly as the level says. */
export function compareOutputs(
  { sinks, outputs }: Pick<DifferentialCase, 'sinks' | 'outputs'>,
  actual: Outputs,
  level: CompareLevel,
): Difference[] {
  const topics = new Set([...Object.keys(sinks), ...Object.keys(outputs), ...Object.keys(actual)])
  return [...topics].flatMap((topic) => {
    const [expected, got] = [outputs[topic] ?? [], actual[topic] ?? []]
    const prepare = preparation(level, sinks[topic] ?? 'events')
    return compareLists(prepare(expected), prepare(got), topic)
  })
}

type Prepare = (list: readonly CaseOutput[]) => readonly unknown[]

function preparation(level: CompareLevel, sink: 'changelog' | 'events'): Prepare {
  if (level === 'exact' || level === 'quirk') return (list) => list
  if (level === 'perKey') return byKey
  if (sink === 'changelog') return realChanges
  return level === 'normal' ? byKey : (list) => sorted(list.map(([, ...rest]) => rest))
}

/** Only the order within one input and one key counts. */
function byKey(list: readonly CaseOutput[]): readonly CaseOutput[] {
  return list
    .map((output, place) => ({ output, place }))
    .sort((a, b) => {
      const [x, y] = [a.output, b.output]
      return x[0] - y[0] || compareText(printJson(x[1]), printJson(y[1])) || a.place - b.place
    })
    .map(({ output }) => output)
}

/** Per input the last value of every key, unless the key had it before; times are ignored. */
function realChanges(list: readonly CaseOutput[]): readonly unknown[] {
  const last = new Map<string, Json>()
  const steps = new Map<number, Map<string, readonly [Json, Json]>>()
  for (const [after, key, value] of list) {
    const step = steps.get(after) ?? new Map()
    steps.set(after, step.set(printJson(key), [key, value]))
  }
  const changes: unknown[] = []
  for (const [after, step] of [...steps].sort(([a], [b]) => a - b)) {
    for (const [text, [key, value]] of [...step].sort(([a], [b]) => compareText(a, b))) {
      if (same(last.get(text) ?? null, value)) continue
      last.set(text, value)
      changes.push([after, key, value])
    }
  }
  return changes
}

function sorted(list: readonly (readonly Json[])[]): readonly unknown[] {
  const text = (item: readonly Json[]) => canonicalText(item)
  return list.toSorted((a, b) => compareText(text(a), text(b)))
}

/** Members in the order of their names, so that equal values are equal texts. */
function canonicalText(value: unknown): string {
  return JSON.stringify(value, (_name, part) => {
    if (typeof part !== 'object' || part === null || Array.isArray(part)) return part
    return Object.fromEntries(Object.entries(part).sort(([a], [b]) => compareText(a, b)))
  })
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

/** Item by item; one that is missing or superfluous is a difference of its own. */
export function compareLists(
  expected: readonly unknown[],
  actual: readonly unknown[],
  path: string,
): Difference[] {
  const length = Math.max(expected.length, actual.length)
  return Array.from({ length }, (_, i) => i).flatMap((i) => {
    const [a, b] = [expected[i], actual[i]]
    if (a !== undefined && b !== undefined && same(a as Json, b as Json)) return []
    return [{ path: `${path}[${i}]`, expected: a, actual: b }]
  })
}
