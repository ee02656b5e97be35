import { type Difference, fault } from '../difference.ts'
import type { Delivery } from './delivery.ts'
import { invariantsOfIncremental } from './invariants-incremental.ts'
import { invariantsOfRestart } from './invariants-restart.ts'
import { invariantsOfTransactions } from './invariants-transactions.ts'
import type { Play } from './play.ts'

/** What an invariant looks at; the connector still runs. */
export interface Evidence {
  readonly play: Play
  /** Everything that is visible in the log. */
  readonly all: readonly Delivery[]
  readonly dml: readonly string[]
}

/** A sentence that is understood, and its check: a sentence says what is wrong, or undefined. */
export interface Invariant {
  readonly grammar: RegExp
  check(evidence: Evidence, ...groups: string[]): string | undefined | Promise<string | undefined>
}

const invariants: readonly Invariant[] = [
  ...invariantsOfIncremental,
  ...invariantsOfRestart,
  ...invariantsOfTransactions,
]

/** Checks the sentences of a case. One that is not understood fails it. */
export async function checkInvariants(
  sentences: readonly string[],
  evidence: Evidence,
): Promise<Difference[]> {
  const differences: Difference[] = []
  for (const sentence of sentences) {
    const wrong = await checkInvariant(sentence, evidence)
    if (wrong !== undefined) differences.push(fault(`invariant '${sentence}'`, wrong))
  }
  return differences
}

async function checkInvariant(sentence: string, evidence: Evidence): Promise<string | undefined> {
  for (const { grammar, check } of invariants) {
    const match = grammar.exec(sentence)
    if (match !== null) return check(evidence, ...match.slice(1))
  }
  return 'it is not understood'
}

/** Whether the invariant is understood at all. */
export function isUnderstood(sentence: string): boolean {
  return invariants.some(({ grammar }) => grammar.test(sentence))
}
