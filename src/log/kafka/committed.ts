import { isCommitMarker, type RecordBatch, readBatches } from './batch-reader.ts'
import type { Fetched } from './fetch.ts'

export interface Seen {
  readonly batch: RecordBatch | undefined
  /** The offset behind it. */
  readonly end: number
  readonly producerId: bigint
  /** Of the marker of a transaction: whether it was committed. */
  readonly isCommit?: boolean
}

/**
 * The batches in an answer whose records may be seen, and for every batch, also those that may not,
 * the offset behind it. A broker gives out the records of aborted transactions, too, and says which
 * they are: of a producer, from an offset up to the marker that says so.
 */
export function* committedBatches({
  bytes,
  aborted,
}: Pick<Fetched, 'bytes' | 'aborted'>): Generator<Seen> {
  const waiting = aborted.toSorted((a, b) => a.from - b.from)
  const dropped = new Set<bigint>()
  for (const batch of readBatches(bytes)) {
    while (waiting.length > 0 && waiting[0]!.from <= batch.lastOffset) {
      dropped.add(waiting.shift()!.producerId)
    }
    const end = batch.lastOffset + 1
    if (batch.isControl) {
      const isCommit = isCommitMarker(batch)
      if (!isCommit) dropped.delete(batch.producerId)
      yield { batch: undefined, end, producerId: batch.producerId, isCommit }
    } else {
      const isAborted = batch.isTransactional && dropped.has(batch.producerId)
      yield { batch: isAborted ? undefined : batch, end, producerId: batch.producerId }
    }
  }
}
