import { again } from './again.ts'
import { type RawRecord, type RecordBatch, readRecords } from './batch-reader.ts'
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
  span: Span,
  take: (record: RawRecord) => void,
): Promise<number> {
  let at = span.from
  for await (const { records, next } of readPartition(cluster, span)) {
    for (const record of records) take(record)
    at = next
  }
  return at
}

/** The records of one answer of a broker, and where to go on. */
export interface Slice {
  readonly records: Iterable<RawRecord>
  readonly next: number
}

/** The same, answer by answer. The records of one are gone with the next. */
export async function* readPartition(
  cluster: Cluster,
  { topic, partition, from }: Span,
): AsyncGenerator<Slice> {
  const settle = { patienceMs: 30_000, forget: () => cluster.forget() }
  const known = await cluster.topic(topic)
  if (known === undefined) return
  const start = (await again(() => cluster.offsets(topic, 'start'), settle))[partition] ?? 0n
  const end = Number((await again(() => cluster.offsets(topic, 'stable'), settle))[partition] ?? 0n)
  let at = Math.max(from, Number(start))
  while (at < end) {
    const asked = [{ topicId: known.id, partition, offset: at }]
    const ask = async () => {
      const address = await cluster.leader(topic, partition)
      const [found] = await fetchFrom(cluster, address, asked, limits)
      if (found!.code !== 0) throw faultOf(found!.code, `Read ${topic}/${partition}`)
      return found!
    }
    const batches = [...committedBatches(await again(ask, settle))]
    const from = at
    at = batches.reduce((next, { end }) => Math.max(next, end), at)
    yield { records: recordsOf(batches, from), next: at }
  }
}

function* recordsOf(
  batches: readonly { readonly batch: RecordBatch | undefined }[],
  from: number,
): Generator<RawRecord> {
  for (const { batch } of batches) if (batch !== undefined) yield* readRecords(batch, from)
}

/** How far to look back for the last record, at first. */
const firstLook = 64

/** The offset behind the last record of a partition; behind it there may be markers. */
export async function endOfRecords(
  cluster: Cluster,
  topic: string,
  partition: number,
): Promise<number> {
  const last = await lastRecord(cluster, topic, partition)
  return last === undefined ? 0 : last.offset + 1
}

/** The last record of a partition that can be read; undefined if there is none. */
export async function lastRecord(
  cluster: Cluster,
  topic: string,
  partition: number,
): Promise<RawRecord | undefined> {
  if ((await cluster.topic(topic)) === undefined) return undefined
  const start = Number((await cluster.offsets(topic, 'start'))[partition] ?? 0n)
  const stable = Number((await cluster.offsets(topic, 'stable'))[partition] ?? 0n)
  for (let look = firstLook; ; look *= 8) {
    let last: RawRecord | undefined
    const from = Math.max(start, stable - look)
    await scanPartition(cluster, { topic, partition, from }, (record) => (last = record))
    if (last !== undefined || from === start) return last
  }
}
