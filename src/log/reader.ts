import { MillraceError } from '../core/errors.ts'
import type { LogRecord } from '../core/record.ts'
import type { Batch, Position, Source } from '../core/source.ts'
import { LaneCursor } from './lane-cursor.ts'
import type { Lane } from './lanes.ts'
import { decodePosition, encodePosition, isInHistory, type Place, startOf } from './position.ts'
import type { Readable } from './readable.ts'

/** A batch ends at the first commit after so many bytes … */
const batchBytes = 1024 * 1024
/** … or, inside a giant commit, after so many. */
const partBytes = 4 * batchBytes
/** How often the position of a group is written down at the most. */
const keepEveryMs = 2_000

/** Reads topics of the embedded log, merged in the order of their commits. */
export class LogReader implements Source<LogRecord> {
  readonly name: string
  readonly #log: Readable
  readonly #topics: readonly string[]
  #acked: Position | undefined
  /** Runs until the group's position may be written down again. */
  #pause: NodeJS.Timeout | undefined

  constructor(log: Readable, topics: readonly string[], group: string) {
    this.#log = log
    this.#topics = topics
    this.name = group
  }

  async knows(position: Position): Promise<boolean> {
    const place = decodePosition(position)
    return place !== undefined && isInHistory(this.#log.history, place, this.#log.head)
  }

  async *read(from: Position | undefined, signal: AbortSignal): AsyncGenerator<Batch<LogRecord>> {
    const start = from === undefined ? undefined : decodePosition(from)
    let place: Place = start ?? { start: '0', sequence: 0, ordinal: 0 }
    this.#log.keepGroup(this.name, from ?? encodePosition(place))
    for (const topic of this.#topics) checkGap(this.#log.lanes.get(topic), place)
    const merge = new Merge(this.#log, this.#topics, place)
    while (!signal.aborted) {
      const grown = this.#log.grown()
      const batch = merge.next()
      if (batch === undefined) {
        await either(grown, signal)
        continue
      }
      place = { ...batch.place, start: startOf(this.#log.history, batch.place.sequence) }
      const { records, complete, atEnd } = batch
      yield { records, position: encodePosition(place), complete, atEnd }
    }
  }

  /** What came last is written down, too, once that is due. */
  ack(position: Position): void {
    this.#acked = position
    if (this.#pause !== undefined) return
    this.#log.keepGroup(this.name, position)
    this.#pause = setTimeout(() => {
      this.#pause = undefined
      if (this.#acked !== position) this.ack(this.#acked!)
    }, keepEveryMs).unref()
  }
}

/** Throws LOG_GAP if what comes after the place is no longer all there. */
function checkGap(lane: Lane | undefined, { sequence }: Place): void {
  if (lane === undefined || sequence === 0 || sequence >= lane.floor) return
  const { topic, floor } = lane
  const message = `${topic} was to be read on from sequence ${sequence}, but some of its records below ${floor} were removed.`
  throw new MillraceError('LOG_GAP', message)
}

/**
 * Waits for the one or the other. `Promise.race` with a promise for the signal would add to that
 * promise each time, and a reader that follows the log waits a thousand times a second.
 */
function either(grown: Promise<void>, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      signal.removeEventListener('abort', end)
      resolve()
    }
    signal.addEventListener('abort', end)
    grown.then(end)
  })
}

interface Slice {
  readonly records: LogRecord[]
  readonly place: Omit<Place, 'start'>
  readonly complete: boolean
  readonly atEnd: boolean
}

/** Merges the topics' records by (sequence, ordinal). */
class Merge {
  readonly #log: Readable
  readonly #topics: readonly string[]
  readonly #cursors = new Map<string, LaneCursor>()
  readonly #from: Place

  constructor(log: Readable, topics: readonly string[], from: Place) {
    this.#log = log
    this.#topics = topics
    this.#from = from
  }

  /** The next records that are visible now, cut at a commit unless that commit is a giant. */
  next(): Slice | undefined {
    const end = this.#log.visible(this.#topics)
    const cursors = this.#open(end)
    const records: LogRecord[] = []
    let bytes = 0
    for (;;) {
      const cursor = earliest(cursors, end)
      const record = cursor?.peek(end)
      const last = records.at(-1)
      if (last !== undefined) {
        const place = cut(last, record, bytes)
        if (place !== undefined) return { records, ...place, atEnd: record === undefined }
      }
      if (record === undefined) return undefined
      records.push(record)
      bytes += (record.value?.length ?? 0) + (record.key?.length ?? 0)
      cursor!.advance()
    }
  }

  /** Topics may come into being while they are read. */
  #open(end: number): readonly LaneCursor[] {
    for (const topic of this.#topics) {
      if (this.#cursors.has(topic)) continue
      const lane = this.#log.lanes.get(topic)
      if (lane !== undefined && lane.end > 0 && end > 0) {
        this.#cursors.set(topic, new LaneCursor(this.#log, lane, this.#from))
      }
    }
    return [...this.#cursors.values()]
  }
}

/** Where to end a batch between two records, or `undefined` to go on. */
function cut(
  last: LogRecord,
  next: LogRecord | undefined,
  bytes: number,
): Omit<Slice, 'records' | 'atEnd'> | undefined {
  if (next !== undefined && bytes < batchBytes) return undefined
  const sequence = Number(last.sequence)
  if (next === undefined || next.sequence !== last.sequence) {
    return { place: { sequence: sequence + 1, ordinal: 0 }, complete: true }
  }
  if (bytes < partBytes || next.ordinal === last.ordinal) return undefined
  return { place: { sequence, ordinal: next.ordinal }, complete: false }
}

function earliest(cursors: readonly LaneCursor[], end: number): LaneCursor | undefined {
  if (cursors.length === 1) return cursors[0]
  let best: LaneCursor | undefined
  let first: LogRecord | undefined
  for (const cursor of cursors) {
    const record = cursor.peek(end)
    if (record !== undefined && (first === undefined || isBefore(record, first))) {
      best = cursor
      first = record
    }
  }
  return best
}

function isBefore(a: LogRecord, b: LogRecord): boolean {
  return a.sequence < b.sequence || (a.sequence === b.sequence && a.ordinal < b.ordinal)
}
