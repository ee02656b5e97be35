import { setTimeout as sleep } from 'node:timers/promises'
import {
  agrees,
  compare,
  type Difference,
  type Documents,
} from '../../config/orders/demo/verdict.ts'
import type { Subject } from './subject.ts'
import type { Target } from './targets.ts'

/** How long a sink may stand still after the last document came, before a difference counts. */
const settledMs = 15_000

export interface Patience {
  /** How long a sink may stand still before the last document has come. */
  readonly stillMs: number
  /** There is nobody left who could change a sink. */
  readonly isOver: () => boolean
}

/** Waits until the sinks are where Postgres is, or stand still for too long; then compares each. */
export async function judge(
  targets: readonly Target[],
  patience: Patience,
): Promise<ReadonlyMap<string, Difference>> {
  const subjects = new Set(targets.map(({ subject }) => subject))
  const ends = new Map<Subject, End>()
  for (const subject of subjects) {
    const last = await subject.placeLast()
    ends.set(subject, { last, want: await subject.expected() })
  }
  const differences = new Map<string, Difference>()
  for (const target of targets) {
    differences.set(target.name, await settle(target, ends.get(target.subject)!, patience))
  }
  return differences
}

/** What a subject has come to. */
interface End {
  /** Id of the last document. */
  readonly last: string
  readonly want: Documents
}

/** A batch is written in any order: the last document may be there before others of its batch. */
async function settle(
  target: Target,
  { last, want }: End,
  { stillMs, isOver }: Patience,
): Promise<Difference> {
  const compareNow = async () => compare(want, await target.documents())
  let position = String(await target.positions())
  let movedAt = performance.now()
  for (;;) {
    const hasLast = await target.has(last)
    if (hasLast) {
      const difference = await compareNow()
      if (agrees(difference)) return difference
    }
    const now = String(await target.positions())
    if (now !== position) movedAt = performance.now()
    position = now
    const mostMs = hasLast ? Math.min(settledMs, stillMs) : stillMs
    if (isOver() || performance.now() - movedAt >= mostMs) return compareNow()
    await sleep(200)
  }
}
