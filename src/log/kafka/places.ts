import { type Destination, NoSuchPlace, type PlaceFound } from '../inspection.ts'
import type { Cluster } from './cluster.ts'
import { encodePosition, type Progress } from './position.ts'
import { readPartition } from './scan-partition.ts'

/** By partition, where a reader of these topics goes on if it is sent to a place. */
export async function placesFor(
  cluster: Cluster,
  topics: readonly string[],
  to: Destination,
): Promise<ReadonlyMap<number, PlaceFound>> {
  const id = await cluster.id()
  const places = new Map<number, PlaceFound>()
  for (const [partition, progress] of await progressFor(cluster, topics, to)) {
    const position = encodePosition({ cluster: id, topics: progress, open: undefined })
    const offsets = [...progress.values()].map(({ next }) => next).join(', ')
    const records = await countFrom(cluster, progress, partition)
    places.set(partition, { position, place: `offset ${offsets}`, records })
  }
  return places
}

type ProgressOf = ReadonlyMap<string, Progress>

async function progressFor(
  cluster: Cluster,
  topics: readonly string[],
  to: Destination,
): Promise<ReadonlyMap<number, ProgressOf>> {
  const found = new Map<number, Map<string, Progress>>()
  let isThere = false
  for (const topic of topics) {
    const shape = await cluster.topic(topic)
    if (shape === undefined) throw new NoSuchPlace(`there is no topic ${topic}`)
    const ends = await cluster.offsets(topic, 'stable')
    for (const [partition, offset] of await offsetsOf(cluster, topic, to)) {
      // A partition whose records are all older goes on behind them.
      const next = Number(offset < 0n ? ends[partition]! : offset)
      if (offset >= 0n) isThere = true
      const progress = found.get(partition) ?? new Map<string, Progress>()
      found.set(partition, progress.set(topic, { id: shape.id, next }))
    }
  }
  if (isThere) return found
  throw new NoSuchPlace(`no record of ${topics.join(', ')} is as new as that`)
}

/** -1 where no record is as new as the time. */
async function offsetsOf(
  cluster: Cluster,
  topic: string,
  to: Destination,
): Promise<ReadonlyMap<number, bigint>> {
  if (typeof to === 'object' && 'offset' in to) return given(cluster, topic, to)
  if (typeof to === 'object' && 'sequence' in to) {
    throw new NoSuchPlace('a log on Kafka goes by offsets, not by sequences: give --to-offset')
  }
  const at = to === 'beginning' ? 'start' : to === 'end' ? 'stable' : to.time
  return new Map((await cluster.offsets(topic, at)).entries())
}

async function given(
  cluster: Cluster,
  topic: string,
  { offset, partition }: { readonly offset: number; readonly partition?: number | undefined },
): Promise<ReadonlyMap<number, bigint>> {
  const starts = await cluster.offsets(topic, 'start')
  const ends = await cluster.offsets(topic, 'stable')
  const offsets = new Map<number, bigint>()
  for (const [each, end] of ends.entries()) {
    if (partition !== undefined && each !== partition) continue
    const start = starts[each] ?? 0n
    if (offset < start || offset > end) {
      const has = `${topic}/${each} has the offsets ${start} to ${end}`
      throw new NoSuchPlace(`${has}: ${offset} is not one of them`)
    }
    offsets.set(each, BigInt(offset))
  }
  if (offsets.size > 0) return offsets
  throw new NoSuchPlace(`${topic} has no partition ${partition}`)
}

async function countFrom(cluster: Cluster, topics: ProgressOf, partition: number): Promise<number> {
  let count = 0
  for (const [topic, { next }] of topics) {
    for await (const { records } of readPartition(cluster, { topic, partition, from: next })) {
      for (const _ of records) count++
    }
  }
  return count
}
