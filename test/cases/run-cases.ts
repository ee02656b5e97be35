import { describeError } from '../../src/core/errors.ts'
import { CaseFault, fault } from './difference.ts'
import type { Outcome, RunnableCase, Suite } from './kind.ts'

/** No case takes so long; one that does hangs. */
const limitMs = 180_000

export interface CaseResult {
  readonly name: string
  readonly group: string
  readonly outcome: Outcome
  readonly ms: number
}

/** Runs the cases, several side by side, and gives their results in the file's order. */
export async function runCases(
  { cases, atOnce }: Pick<Suite, 'cases' | 'atOnce'>,
  done: (result: CaseResult, count: number) => void,
): Promise<CaseResult[]> {
  const results: CaseResult[] = []
  const waiting = cases.entries()
  let count = 0
  const work = async () => {
    for (const [i, one] of waiting) {
      const begun = performance.now()
      const outcome = await settle(one)
      const ms = Math.round(performance.now() - begun)
      const result = { name: one.name, group: one.group, outcome, ms }
      results[i] = result
      done(result, ++count)
    }
  }
  await Promise.all(Array.from({ length: atOnce }, work))
  return results
}

/** What goes wrong in the runner itself is a failure too: nothing passes by accident. */
async function settle(one: RunnableCase): Promise<Outcome> {
  const hang = Promise.withResolvers<never>()
  const late = new CaseFault(`it has not ended after ${limitMs / 1000} s`)
  const timer = setTimeout(() => hang.reject(late), limitMs)
  try {
    return await Promise.race([one.run(), hang.promise])
  } catch (error) {
    return { result: 'failed', differences: [fault('case', describe(error))] }
  } finally {
    clearTimeout(timer)
  }
}

function describe(error: unknown): string {
  return error instanceof CaseFault ? error.message : describeError(error)
}
