import { Refused } from './answers.ts'
import type { Holder } from './holder.ts'

/** A request as far as the answer depends on it. */
export interface Asked {
  /** Path and query. */
  readonly path: string
  readonly authorization: string | undefined
  /** Another instance asks what this one has of a partition: it is not to ask on. */
  readonly partition: number | undefined
  readonly atLeast: bigint | undefined
}

/** An answer, and how old it may be where it comes from a copy. */
export interface Answer {
  readonly value: unknown
  readonly status: number
  readonly ageMs: number | undefined
}

/** Headers between instances, and to who asked. */
export const partitionHeader = 'millrace-partition'
export const ageHeader = 'millrace-stale-ms'

/** How long a commit is waited for that was asked for with `atLeast`. */
const waitMs = 10_000
/** How long another instance may take. */
const patienceMs = 3_000

/**
 * Answers from the state of a partition: from this instance if it owns it, else from the owner; if
 * that one is away, from a copy, which says how old it may be.
 */
export async function answerFrom<T>(
  holder: Holder<T>,
  partition: number,
  asked: Asked,
  read: (state: T) => unknown,
): Promise<Answer> {
  const held = holder.held(partition)
  const here = () => answerHere(holder, partition, asked, read)
  const isAsked = asked.partition !== undefined
  if (held !== undefined && (isAsked || held.ageMs === undefined)) return here()
  if (isAsked) throw new Refused(503, 'not_here', 'This instance does not have that partition.')
  const { owner, standbys } = holder.others(partition)
  const relayed = owner === undefined ? undefined : await relay(owner, partition, asked)
  if (relayed !== undefined) return relayed
  if (held !== undefined) return here()
  for (const url of standbys) {
    const answer = await relay(url, partition, asked)
    if (answer !== undefined) return answer
  }
  throw new Refused(503, 'no_owner', 'No instance has this state just now; ask again.')
}

async function answerHere<T>(
  holder: Holder<T>,
  partition: number,
  { atLeast }: Asked,
  read: (state: T) => unknown,
): Promise<Answer> {
  if (atLeast !== undefined) {
    const signal = AbortSignal.timeout(waitMs)
    if (!(await holder.reached(atLeast, partition, signal))) {
      const message = `The version was not reached within ${waitMs / 1000} s; ask again.`
      throw new Refused(503, 'not_yet', message)
    }
  }
  const held = holder.held(partition)
  if (held === undefined) throw new Refused(503, 'no_owner', 'The state has just moved; ask again.')
  return { value: read(held.state), status: 200, ageMs: held.ageMs }
}

/** What another instance answers; undefined if it is away, or does not have the state any more. */
async function relay(url: string, partition: number, asked: Asked): Promise<Answer | undefined> {
  const { path, authorization, atLeast } = asked
  const headers = { [partitionHeader]: String(partition), ...(authorization && { authorization }) }
  const timeout = patienceMs + (atLeast === undefined ? 0 : waitMs)
  try {
    const signal = AbortSignal.timeout(timeout)
    const response = await fetch(url.replace(/\/$/, '') + path, { headers, signal })
    const text = await response.text()
    if (response.status === 503 && text.includes('"not_here"')) return undefined
    const age = response.headers.get(ageHeader)
    const ageMs = age === null ? undefined : Number(age)
    return { value: new JsonText(text), status: response.status, ageMs }
  } catch {
    return undefined
  }
}

/** JSON that is written already. */
export class JsonText {
  readonly text: string

  constructor(text: string) {
    this.text = text
  }
}
