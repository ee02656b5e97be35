import { setTimeout as sleep } from 'node:timers/promises'
import { describeError, kindOf } from './errors.ts'
import type { Meter } from './meter.ts'

/** How often a paused part looks whether an operator has mended what it waits for. */
const probeMs = 30_000

/**
 * Runs a task until it ends or the signal aborts, starting it again after each transient error, and
 * every 30 s while it is paused. Any other error ends it: the meter says why, and it is thrown.
 */
export async function supervise(
  task: (signal: AbortSignal) => Promise<void>,
  meter: Meter,
  signal: AbortSignal,
): Promise<void> {
  let attempt = 0
  while (!signal.aborted) {
    const batches = meter.batches
    try {
      await task(signal)
      break
    } catch (error) {
      if (signal.aborted) break
      if (meter.batches > batches) attempt = 0
      await sleep(delay(error, meter, attempt++), undefined, { signal }).catch(() => {})
    }
  }
  meter.state = 'stopped'
}

function delay(error: unknown, meter: Meter, attempt: number): number {
  const kind = kindOf(error)
  meter.reason = describeError(error)
  if (kind !== 'transient' && kind !== 'paused') {
    meter.state = 'failed'
    throw error
  }
  meter.retries++
  meter.state = kind === 'paused' ? 'paused' : 'retrying'
  return kind === 'paused' ? Math.min(probeMs, backoffMs(attempt, 1_000)) : backoffMs(attempt)
}

/**
 * Anything up to a bound that doubles from `firstMs` to 10 s: with full jitter, parts that start
 * again do not march in step.
 */
export function backoffMs(attempt: number, firstMs = 25, random = Math.random): number {
  return Math.min(10_000, firstMs * 2 ** attempt) * random()
}
