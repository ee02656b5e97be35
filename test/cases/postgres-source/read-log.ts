import type { EmbeddedLog } from '../../../src/log/embedded.ts'
import { type Delivery, parseRecord } from './delivery.ts'

/** A commit that is still under way hides what follows; then reading ends after this time. */
const patienceMs = 1_000

/** Everything that is visible in the log, in the order of its commits. */
export async function readLog(log: EmbeddedLog): Promise<Delivery[]> {
  const { topics } = await log.describe()
  const sizes = topics.map(({ partitions }) => partitions.map(({ start, end }) => end - start))
  const total = Number(sizes.flat().reduce((sum, size) => sum + size, 0n))
  const deliveries: Delivery[] = []
  if (total === 0) return deliveries
  const names = topics.map(({ topic }) => topic)
  for await (const batch of log
    .reader(names, '')
    .read(undefined, AbortSignal.timeout(patienceMs))) {
    deliveries.push(...batch.records.map(parseRecord))
    if (deliveries.length >= total) break
  }
  return deliveries
}
