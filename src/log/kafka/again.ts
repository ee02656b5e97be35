import { setTimeout as sleep } from 'node:timers/promises'
import { isFault } from './fault.ts'

/** Answers after which the same call may be made again, once the cluster has settled. */
const unsettled = [
  'COORDINATOR_LOAD_IN_PROGRESS',
  'COORDINATOR_NOT_AVAILABLE',
  'NOT_COORDINATOR',
  'CONCURRENT_TRANSACTIONS',
  'UNKNOWN_TOPIC_OR_PARTITION',
  'UNKNOWN_TOPIC_ID',
  'LEADER_NOT_AVAILABLE',
  'NOT_LEADER_OR_FOLLOWER',
  'NOT_ENOUGH_REPLICAS',
]

/** A transaction's markers are written within a millisecond or two of its end. */
const firstDelayMs = 2
const longestDelayMs = 200

/**
 * Makes a call until the cluster has settled, at most for `patienceMs`; `forget` drops what is
 * known of leaders and coordinators. Never repeats a call that got no answer.
 */
export async function again<T>(
  call: () => Promise<T>,
  { patienceMs, forget }: { readonly patienceMs: number; readonly forget: () => void },
): Promise<T> {
  const deadline = performance.now() + patienceMs
  for (let delayMs = firstDelayMs; ; delayMs = Math.min(delayMs * 2, longestDelayMs)) {
    try {
      return await call()
    } catch (error) {
      if (!isFault(error, ...unsettled) || performance.now() + delayMs > deadline) throw error
      if (error.id !== 'CONCURRENT_TRANSACTIONS') forget()
    }
    await sleep(delayMs)
  }
}
