import { again } from './again.ts'
import { type RawRecord, readRecords } from './batch-reader.ts'
import type { Cluster } from './cluster.ts'
import { committedBatches } from './committed.ts'
import { faultOf } from './fault.ts'
import { fetchFrom } from './fetch.ts'

export interface Span {
  readonly topic: string
  readonly partition: number
  readonly from: number
}

const limits = { waitMs: 0, bytes: 8 * 1024 * 1024, partitionBytes: 8 * 1024 * 1024 }

/**
 * Reads what a partition holds by now, committed records only, and calls `take` for each. Returns
 * the offset behind the last, where a later scan goes on. A topic that does not exist is empty.
 */
export async function scanPartition(
  cluster: Cluster,
  { topic, partition, from }: Span,
  take: (record: RawRecord) => void,
): Promise<number> {
  const settle = { patienceMs: 30_000, forget: () => cluster.forget() }
  const known = await cluster.topic(topic)
  if (known === undefined) return from
  const start = (await again(() => cluster.offsets(topic, 'start'), settle))[partition] ?? 0n
  const end = Number((await again(() => cluster.offsets(topic, 'stable'), settle))[partition] ?? 0n)
  let at = Math.max(from, Number(start))
  while (at < end) {
    const asked = [{ topicId: known.id, partition, offset: at }]
    const ask = async () => {
      const [found] = await fetchFrom(
        cluster,
        await cluster.leader(topic, partition),
        asked,
        limits,
      )
      if (found!.code !== 0) throw faultOf(found!.code, `Read ${topic}/${partition}`)
      return found!
    }
    for (const { batch, end } of committedBatches(await again(ask, settle))) {
      if (batch !== undefined) for (const record of readRecords(batch, at)) take(record)
      at = Math.max(at, end)
    }
  }
  return at
}

/** How far to look back for the last record, at first. */
const firstLook = 64

/** The offset behind the last record of a partition; behind it there may be markers. */
export async function endOfRecords(
  cluster: Cluster,
  topic: string,
  partition: number,
): Promise<number> {
  if ((await cluster.topic(topic)) === undefined) return 0
  const start = Number((await cluster.offsets(topic, 'start'))[partition] ?? 0n)
  const stable = Number((await cluster.offsets(topic, 'stable'))[partition] ?? 0n)
  for (let look = firstLook; ; look *= 8) {
    let end = 0
    const from = Math.max(start, stable - look)
    await scanPartition(cluster, { topic, partition, from }, ({ offset }) => (end = offset + 1))
    if (end > 0 || from === start) return end
  }
}
