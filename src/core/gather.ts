import type { Gathering } from './read-ahead.ts'
import type { LogRecord } from './record.ts'
import type { Batch } from './source.ts'

/**
 * How much a sink writes between two checkpoints, at the most, unless a single batch of its source
 * is larger. May be raised from one release to the next, but never lowered: see `gatherBatches`.
 */
export const gatherRoom = { records: 10_000, bytes: 4 * 1024 * 1024 }

export type Room = typeof gatherRoom

/**
 * Joins the batches that have come while the one before was written, so that a sink writes the more
 * at once the slower its target is.
 *
 * The first batch after a resume is waited for until it covers whatever may have been written and
 * not committed before, or all there is. Folded into one write, it sends the last state of each id
 * only: an older one could revive a document whose delete the target has forgotten.
 */
export function gatherBatches(room: Room = gatherRoom): Gathering<Batch<LogRecord>> {
  let isFirst = true
  return {
    isFull: (waiting) => isFull(waiting, isFirst ? inFlight(room) : room),
    take(waiting) {
      const last = waiting.at(-1)!
      const isCovered = last.alone || last.atEnd !== false || isFull(waiting, inFlight(room))
      if (isFirst && !isCovered) return undefined
      const taken = waiting.splice(0, isFirst ? lengthOfFirst(waiting) : fitting(waiting, room))
      if (!taken[0]!.alone) isFirst = false
      return taken.length === 1 ? taken[0]! : join(taken)
    },
  }
}

/**
 * Tells of one batch after the other whether all that may have been in flight has come: until then
 * nothing may come in between.
 */
export function coverage(room: Room = gatherRoom): (batch: Batch<LogRecord>) => boolean {
  const read: Batch<LogRecord>[] = []
  let isCovered = false
  return (batch) => {
    if (isCovered) return true
    read.push(batch)
    isCovered = batch.atEnd !== false || isFull(read, inFlight(room))
    return isCovered
  }
}

/** One batch may be written while the one before it is committed. */
function inFlight({ records, bytes }: Room): Room {
  return { records: 2 * records, bytes: 2 * bytes }
}

function isFull(waiting: readonly Batch<LogRecord>[], { records, bytes }: Room): boolean {
  const size = sizeOf(waiting)
  return size.records >= records || size.bytes >= bytes
}

/** At least one; and one that must come by itself does. */
function fitting(waiting: readonly Batch<LogRecord>[], room: Room): number {
  if (waiting[0]!.alone) return 1
  let count = 1
  const size = { ...sizeOfBatch(waiting[0]!) }
  for (; count < waiting.length && !waiting[count]!.alone; count++) {
    const next = sizeOfBatch(waiting[count]!)
    size.records += next.records
    size.bytes += next.bytes
    if (size.records > room.records || size.bytes > room.bytes) break
  }
  return count
}

function lengthOfFirst(waiting: readonly Batch<LogRecord>[]): number {
  if (waiting[0]!.alone) return 1
  const alone = waiting.findIndex((batch) => batch.alone)
  return alone < 0 ? waiting.length : alone
}

function join(batches: readonly Batch<LogRecord>[]): Batch<LogRecord> {
  const { position, complete, atEnd } = batches.at(-1)!
  const records = batches.flatMap((batch) => batch.records)
  return { records, position, complete, ...(atEnd !== undefined && { atEnd }) }
}

const sizes = new WeakMap<Batch<LogRecord>, Room>()

function sizeOfBatch(batch: Batch<LogRecord>): Room {
  let size = sizes.get(batch)
  if (size === undefined) {
    let bytes = 0
    for (const { key, value } of batch.records) bytes += (key?.length ?? 0) + (value?.length ?? 0)
    size = { records: batch.records.length, bytes }
    sizes.set(batch, size)
  }
  return size
}

function sizeOf(batches: readonly Batch<LogRecord>[]): Room {
  const size = { records: 0, bytes: 0 }
  for (const batch of batches) {
    const { records, bytes } = sizeOfBatch(batch)
    size.records += records
    size.bytes += bytes
  }
  return size
}
