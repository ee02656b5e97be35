import { existsSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Client } from 'pg'
import { agrees, compare, type Difference, expected } from '../../config/orders/demo/verdict.ts'
import { openEmbeddedLog } from '../../src/log/embedded.ts'
import { placeLastOrder } from './shop-database.ts'
import type { Target } from './targets.ts'

/** How long a sink may stand still after the last order came, before a difference counts as one. */
const settledMs = 15_000

export interface Patience {
  /** How long a sink may stand still before the last order has come. */
  readonly stillMs: number
  /** There is nobody left who could change a sink. */
  readonly isOver: () => boolean
}

/** Waits until the sinks are where Postgres is, or stand still for too long; then compares each. */
export async function judge(
  client: Client,
  targets: readonly Target[],
  patience: Patience,
): Promise<ReadonlyMap<string, Difference>> {
  const last = await placeLastOrder(client)
  const want = await expected(client)
  const compareOnce = async (target: Target) => compare(want, await target.documents())
  const differences = new Map<string, Difference>()
  for (const target of targets) {
    differences.set(target.name, await settle(target, last, patience, compareOnce))
  }
  return differences
}

/** A batch is written in any order, so the last order may be there before others of its batch. */
async function settle(
  target: Target,
  last: string,
  { stillMs, isOver }: Patience,
  compareOnce: (target: Target) => Promise<Difference>,
): Promise<Difference> {
  let position = await target.position()
  let movedAt = performance.now()
  for (;;) {
    const hasLast = await target.has(last)
    if (hasLast) {
      const difference = await compareOnce(target)
      if (agrees(difference)) return difference
    }
    const now = await target.position()
    if (now !== position) movedAt = performance.now()
    position = now
    const mostMs = hasLast ? Math.min(settledMs, stillMs) : stillMs
    if (isOver() || performance.now() - movedAt >= mostMs) return compareOnce(target)
    await sleep(200)
  }
}

/** Whether a data directory opens, and records that a sink refused wait in it. */
export async function inspectLog(path: string): Promise<readonly string[]> {
  if (!existsSync(path)) return [`there is no log in ${path}`]
  try {
    const log = await openEmbeddedLog({ path })
    const { topics } = await log.describe()
    await log.close()
    return topics
      .filter(({ topic, partitions }) => topic.endsWith('.dlq') && (partitions[0]?.end ?? 0n) > 0n)
      .map(({ topic, partitions }) => `${topic} holds ${partitions[0]?.end} dead letters`)
  } catch (error) {
    return [`the log does not open: ${(error as Error).message}`]
  }
}
