import { isObject } from '../json.ts'
import type { Kind, Outcome, RunnableCase } from '../kind.ts'
import { skips } from '../skips.ts'
import { parseCase } from './case.ts'
import { runCase } from './run-case.ts'

/** A longer list of what differs says nothing more. */
const differencesShown = 8

/** Inputs and outputs of the tests of Kafka Streams. */
export const streams: Kind = {
  name: 'streams',
  async open(entries, only) {
    const cases = entries.map(runnable).filter(({ name }) => name.includes(only))
    return { atOnce: 1, cases, async [Symbol.asyncDispose]() {} }
  },
}

function runnable(entry: unknown, i: number): RunnableCase {
  const named = isObject(entry) ? entry : {}
  const name = String(named.name ?? `case ${i + 1}`)
  return { name, group: String(named.kind ?? ''), run: async () => run(name, entry) }
}

function run(name: string, entry: unknown): Outcome {
  const reason = skips.get(name)
  if (reason !== undefined) return { result: 'skipped', reason }
  const differences = runCase(parseCase(entry))
  if (differences.length === 0) return { result: 'passed' }
  return { result: 'failed', differences: differences.slice(0, differencesShown) }
}
