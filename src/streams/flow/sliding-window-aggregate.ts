import type { Stamped } from '../stores/stamped.ts'
import { StreamTime } from '../stores/stream-time.ts'
import type { SlidingWindows } from '../windows.ts'
import type { FlowContext, FlowRecord, TableFlow } from './flow.ts'
import { type AggregateInput, added, type Initial } from './stream-aggregate.ts'
import { type Emit, later, WindowResult } from './window-result.ts'

/*
 * The windows of a key are, for each record at t, the one that ends at t, [t − d, t], and the one
 * that starts right after it, [t + 1, t + 1 + d], if that holds a record. Records before d share
 * [0, d]. Only aggregates are kept, no records: a new window begins with the aggregate of one that
 * holds the same records but for the new one.
 */

export interface SlidingWindowing {
  readonly windows: SlidingWindows
  readonly init: Initial
  readonly emit: Emit
  readonly retentionMs: number
}

/** The records of each key that are no further apart than a time, as one value. */
export function aggregateSlidingWindows(
  inputs: readonly AggregateInput[],
  context: FlowContext,
  { windows, init, emit, retentionMs }: SlidingWindowing,
): TableFlow {
  const { differenceMs, graceMs } = windows
  const result = new WindowResult(context, { emit, retentionMs, lengthMs: differenceMs })
  const streamTime = new StreamTime(context.space('time'))
  for (const input of inputs) {
    const add: Add = (old, record) => added(init, input, old, record)
    const slide = new Sliding(result, differenceMs, add)
    input.stream.records.connect((record) => {
      if (record.key === null || record.value === null) return
      const now = streamTime.observe(record.timestamp)
      const closed = now - graceMs
      if (record.timestamp + 1 + differenceMs <= closed) return
      if (record.timestamp < differenceMs) slide.early(record, closed)
      else slide.take(record, closed)
      advance(now)
    })
  }
  const advance = (now: number) => {
    result.tellUntil(now - graceMs - differenceMs - 1)
    result.store.expire(now)
  }
  context.timed({
    clock: 'stream',
    due: () => later(result.firstUntold, graceMs + differenceMs + 1),
    advance: (time) => advance(streamTime.observe(time)),
  })
  return result
}

type Add = (old: Stamped['value'], record: FlowRecord) => Stamped['value']

/** What the windows near a record's time hold. */
interface Surroundings {
  readonly starts: ReadonlySet<number>
  /** The newest record before this one. */
  readonly previous: number | undefined
  /** Of the last window that ends before this record. */
  readonly before: Stamped | null
  /** Of the last window that holds this record's time and something later. */
  readonly after: Stamped | null
}

/** A window, and what it held. */
interface Place {
  readonly start: number
  readonly old: Stamped | null
  /** What was told of it: nothing, if it begins with the aggregate of another. */
  readonly told?: Stamped | null
}

class Sliding {
  readonly #result: WindowResult
  readonly #differenceMs: number
  readonly #add: Add

  constructor(result: WindowResult, differenceMs: number, add: Add) {
    this.#result = result
    this.#differenceMs = differenceMs
    this.#add = add
  }

  take(record: FlowRecord, closed: number): void {
    const time = record.timestamp
    const { starts, previous, before, after } = this.#update(record, closed)
    if (previous !== undefined) {
      const start = previous + 1
      if (!starts.has(start) && start + this.#differenceMs >= time) {
        this.#put(record, { start, old: null }, closed)
      }
    }
    const start = time - this.#differenceMs
    if (!starts.has(start)) {
      const holdsMore = previous !== undefined && start <= previous
      const old = holdsMore && before !== null ? { ...before, timestamp: time } : null
      this.#put(record, { start, old, told: null }, closed)
    }
    this.#createRight(record, starts, after)
  }

  /** A record before `differenceMs`: the window that ends with it would start before 1970. */
  early(record: FlowRecord, closed: number): void {
    const time = record.timestamp
    const { key } = record
    const shared = this.#result.store.get(key, 0)
    const starts = new Set<number>()
    let after: Stamped | null = null
    for (const { start, stamped } of [...this.#result.store.fetch(key, 1, time + 1)]) {
      starts.add(start)
      if (start > time) continue
      after = stamped
      this.#put(record, { start, old: stamped }, closed)
    }
    if (after === null && shared !== null && shared.timestamp > time) after = shared
    this.#createRight(record, starts, after)
    if (shared !== null && shared.timestamp < time && !starts.has(shared.timestamp + 1)) {
      this.#put(record, { start: shared.timestamp + 1, old: null }, closed)
    }
    this.#put(record, { start: 0, old: shared }, closed)
  }

  /** Puts the record into the windows that are there, and looks what is around it. */
  #update(record: FlowRecord, closed: number): Surroundings {
    const time = record.timestamp
    const starts = new Set<number>()
    let previous: number | undefined
    let before: Stamped | null = null
    let after: Stamped | null = null
    const from = time - 2 * this.#differenceMs
    for (const { start, stamped } of [...this.#result.store.fetch(record.key, from, time + 1)]) {
      const end = start + this.#differenceMs
      starts.add(start)
      if (start > time) continue
      if (end < time) {
        before = stamped
        previous = stamped.timestamp
        continue
      }
      if (end > time) after = stamped
      else if (stamped.timestamp < time) previous = stamped.timestamp
      this.#put(record, { start, old: stamped }, closed)
    }
    return { starts, previous, before, after }
  }

  #put(record: FlowRecord, { start, old, told = old }: Place, closed: number): void {
    if (start + this.#differenceMs < closed) return
    const value = this.#add(old?.value ?? null, record)
    const timestamp = Math.max(record.timestamp, old?.timestamp ?? 0)
    this.#result.put(record.key, start, told?.value ?? null, { value, timestamp })
  }

  #createRight({ key, timestamp }: FlowRecord, starts: ReadonlySet<number>, after: Stamped | null) {
    if (after === null || after.timestamp <= timestamp || starts.has(timestamp + 1)) return
    this.#result.put(key, timestamp + 1, null, after)
  }
}
