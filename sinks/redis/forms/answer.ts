import type { Outcome, Refusal } from '../../../src/core/sink.ts'
import { verdicts } from '../scripts.ts'

/** The letters of a script's answer, one for each of its items. */
export function lettersOf(answer: unknown, count: number): string {
  if (typeof answer === 'string' && answer.length === count) return answer
  throw new Error(`a write script answered ${JSON.stringify(answer)?.slice(0, 80)}`)
}

/** What a letter means, for the key that it was said of and its stamp's. */
export function outcomeOf(verdict: string, key: string, stampKey: string): Outcome {
  if (verdict === verdicts.applied) return 'applied'
  if (verdict === verdicts.stale) return 'stale'
  if (verdict === verdicts.otherType) return otherType(key)
  if (verdict === verdicts.otherStamp) return otherType(stampKey)
  if (verdict === verdicts.rejected) return rejected
  throw new Error(`a write script answered "${verdict}"`)
}

/** A record that concerns several keys: refused if one is, applied if one is. */
export function worst(one: Outcome, other: Outcome): Outcome {
  const rank = (outcome: Outcome) =>
    typeof outcome !== 'string' ? 3 : outcome === 'applied' ? 2 : outcome === 'stale' ? 1 : 0
  return rank(other) > rank(one) ? other : one
}

function otherType(key: string): Refusal {
  const reason = `The key ${key} holds a value that is not ours. Remove it, or choose another template for \`key\`.`
  return { code: 'WRONGTYPE', reason }
}

const rejected: Refusal = {
  code: 'json_rejected',
  reason: 'The JSON module does not take the document: it may be nested too deeply.',
}
