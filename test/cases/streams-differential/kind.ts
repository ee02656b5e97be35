import type { EmissionMode } from '../../../src/streams/flow-graph.ts'
import { isObject } from '../json.ts'
import type { Kind, Outcome, RunnableCase } from '../kind.ts'
import { skips } from '../skips.ts'
import { parseCase } from './case.ts'
import { runCase } from './run-case.ts'

/** A longer list of what differs says nothing more. */
const differencesShown = 8

/** Generated topologies, their inputs, and what Kafka Streams made of them. */
export const streamsDifferential = kind('streams-differential', 'perRecord')

/** The same where tables tell the net effect of each commit, compared by what really changes. */
export const streamsDifferentialNet = kind('streams-differential-net', 'perCommit')

function kind(name: string, emission: EmissionMode): Kind {
  return {
    name,
    async open(entries, only) {
      const all = entries.map((entry, i) => runnable(entry, i, emission))
      const cases = all.filter((one) => one.name.includes(only))
      return { atOnce: 1, cases, async [Symbol.asyncDispose]() {} }
    },
  }
}

function runnable(entry: unknown, i: number, emission: EmissionMode): RunnableCase {
  const named = isObject(entry) ? entry : {}
  const name = String(named.name ?? `case ${i + 1}`)
  return { name, group: String(named.family ?? ''), run: async () => run(name, entry, emission) }
}

function run(name: string, entry: unknown, emission: EmissionMode): Outcome {
  const reason = skips.get(name)
  if (reason !== undefined) return { result: 'skipped', reason }
  const differences = runCase(parseCase(entry), emission)
  if (differences.length === 0) return { result: 'passed' }
  return { result: 'failed', differences: differences.slice(0, differencesShown) }
}
