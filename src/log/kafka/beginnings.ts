import type { Cluster } from './cluster.ts'
import type { InputOptions } from './topic-options.ts'

/** Of each partition of a topic, the offset at which one begins who has read nothing of it yet. */
export async function beginnings(
  cluster: Cluster,
  topic: string,
  begin: InputOptions['begin'] = 'earliest',
): Promise<readonly bigint[]> {
  const starts = await cluster.offsets(topic, 'start')
  if (begin === 'earliest') return starts
  const ends = await cluster.offsets(topic, 'stable')
  if (begin === 'latest') return ends
  if (typeof begin === 'string') {
    const found = await cluster.offsets(topic, Date.parse(begin))
    return found.map((offset, partition) => (offset < 0n ? ends[partition]! : offset))
  }
  return starts.map((start, partition) => {
    const offset = BigInt(typeof begin === 'number' ? begin : (begin[partition] ?? 0))
    return offset < start ? start : offset > ends[partition]! ? ends[partition]! : offset
  })
}
