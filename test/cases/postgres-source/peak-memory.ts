import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'

const limitMs = 120_000

/**
 * By how many MB the process's own memory grew at most while the work ran. The work calls `hasTime`
 * in its loop: that is where memory is looked at.
 */
export async function peakGrowthMb(
  work: (hasTime: () => Promise<boolean>) => Promise<void>,
): Promise<number> {
  const deadline = performance.now() + limitMs
  const before = anonymousMb()
  let peak = before
  await work(async () => {
    await sleep(50)
    peak = Math.max(peak, anonymousMb())
    return performance.now() < deadline
  })
  return Math.round(peak - before)
}

/** Pages of mapped files, such as the log's, belong to the kernel's cache. */
function anonymousMb(): number {
  if (process.platform !== 'linux') return process.memoryUsage().rss / 2 ** 20
  const status = readFileSync('/proc/self/status', 'utf8')
  return Number(/^RssAnon:\s+(\d+) kB/m.exec(status)?.[1]) / 1024
}
