import type { Json } from '../../../src/core/json.ts'
import type { StoredEntry } from '../../../src/streams/flow/flow.ts'
import type { EmissionMode } from '../../../src/streams/flow-graph.ts'
import { defineTopology } from '../../../src/streams/stream-topology.ts'
import { type TestTopology, testTopology } from '../../../src/streams/test-topology.ts'
import type { Difference } from '../difference.ts'
import { build } from './build.ts'
import type { CaseOutput, CompareLevel, DifferentialCase } from './case.ts'
import { compareLists, compareOutputs } from './compare-outputs.ts'

/** Plays a case's inputs one by one, and compares what came out and what is stored. */
export function runCase(one: DifferentialCase, emission: EmissionMode): readonly Difference[] {
  const definition = defineTopology((scope) => build(one.topology, scope))
  const topology = testTopology(definition, { emission })
  const outputs: Record<string, CaseOutput[]> = {}
  for (const [i, [topic, key, value, timestamp]] of one.inputs.entries()) {
    topology.pipe(topic, { key, value, timestamp })
    for (const record of topology.read()) {
      outputs[record.topic] ??= []
      outputs[record.topic]!.push([i + 1, record.key, record.value, record.timestamp])
    }
  }
  const stores = Object.entries(one.stores).flatMap(([name, rows]) =>
    compareLists(rows, storedRows(topology, name, rows), `store ${name}`),
  )
  return [...compareOutputs(one, outputs, levelOf(one, emission)), ...stores]
}

/**
 * An engine that tells only real changes is compared with the real changes among what is expected.
 */
function levelOf({ compare }: DifferentialCase, emission: EmissionMode): CompareLevel {
  if (emission === 'perRecord') return compare
  return compare === 'exact' || compare === 'perKey' ? 'normal' : compare
}

/** The rows of a store, in the form and order that the case has them. */
function storedRows(topology: TestTopology, name: string, expected: readonly (readonly Json[])[]) {
  const hasTimes = (expected[0]?.length ?? 0) !== 4
  return [...topology.store(name).entries()].map((entry) => row(entry, hasTimes)).sort(compareRows)
}

function row({ key, start, end, value, timestamp }: StoredEntry, hasTime: boolean): Json[] {
  const bounds = start === undefined || end === undefined ? [] : [start, end]
  const time = timestamp === undefined || !hasTime ? [] : [timestamp]
  return [key, ...bounds, value, ...time]
}

function compareRows(a: readonly Json[], b: readonly Json[]): number {
  const [x, y] = [String(a[0]), String(b[0])]
  if (x !== y) return x < y ? -1 : 1
  return Number(a[1]) - Number(b[1]) || Number(a[2]) - Number(b[2])
}
