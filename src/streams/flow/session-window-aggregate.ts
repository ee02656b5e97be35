import type { Json } from '../../core/json.ts'
import { type Session, SessionStore } from '../stores/session-store.ts'
import { StreamTime } from '../stores/stream-time.ts'
import type { SessionWindows } from '../windows.ts'
import type { FlowContext, FlowRecord, TableFlow, TableUpdate, Timed } from './flow.ts'
import { Outlet } from './outlet.ts'
import { type AggregateInput, added, type Initial } from './stream-aggregate.ts'
import type { Emit } from './window-result.ts'

export interface SessionWindowing {
  readonly windows: SessionWindows
  readonly init: Initial
  /** Joins two sessions' aggregates, the older one first. */
  readonly merge: (aggregate: Json, other: Json, key: Json) => Json
  readonly emit: Emit
}

/** The records of each key without a longer gap between them as one value. */
export function aggregateSessions(
  inputs: readonly AggregateInput[],
  context: FlowContext,
  windowing: SessionWindowing,
): TableFlow {
  const result = new SessionResult(context, windowing)
  context.timed(result)
  for (const input of inputs) {
    input.stream.records.connect((record) => {
      if (record.key !== null) result.take(record, input)
    })
  }
  return result
}

class SessionResult implements TableFlow, Timed {
  readonly kind = 'table'
  readonly clock = 'stream'
  readonly updates = new Outlet<TableUpdate>()
  readonly #store: SessionStore
  readonly #time: StreamTime
  /** Sessions that end before this have been told; only where they are told at their close. */
  readonly #told: StreamTime
  readonly #windowing: SessionWindowing

  constructor(context: FlowContext, windowing: SessionWindowing) {
    const { gapMs, graceMs } = windowing.windows
    this.#windowing = windowing
    this.#time = new StreamTime(context.space('time'))
    this.#told = new StreamTime(context.space('time'), 'told')
    this.#store = new SessionStore({
      rows: context.space('rows'),
      byEnd: context.space('ends'),
      time: context.space('time'),
      retentionMs: gapMs + graceMs,
    })
    context.readable({
      get: (key) => this.get(key)?.value ?? null,
      entries: () => this.#store.entries(),
    })
  }

  get(key: Json) {
    const session = key as { readonly key: Json; readonly start: number; readonly end: number }
    for (const { start, end, value } of this.#store.find(session.key, session.end, session.start)) {
      if (start === session.start && end === session.end) return { value, timestamp: end }
    }
    return null
  }

  knowsBefore(): boolean {
    return true
  }

  take(record: FlowRecord, input: AggregateInput): void {
    const { gapMs, graceMs } = this.#windowing.windows
    const { key, timestamp } = record
    const closed = this.#time.observe(timestamp) - gapMs - graceMs
    const near = [...this.#store.find(key, timestamp - gapMs, timestamp + gapMs)]
    const start = Math.min(timestamp, ...near.map((one) => one.start))
    const end = Math.max(timestamp, ...near.map((one) => one.end))
    if (end >= closed) {
      const value = added(this.#windowing.init, input, this.#merged(near, key), record)
      this.#replace(near, { key, start, end, value })
    }
    this.#close(closed)
  }

  due(): number | undefined {
    if (this.#windowing.emit !== 'close') return undefined
    const { gapMs, graceMs } = this.#windowing.windows
    for (const { end } of this.#store.ending(this.#told.now, Number.MAX_SAFE_INTEGER / 64)) {
      return end + gapMs + graceMs + 1
    }
    return undefined
  }

  advance(time: number): void {
    const { gapMs, graceMs } = this.#windowing.windows
    this.#close(this.#time.observe(time) - gapMs - graceMs)
  }

  #close(closed: number): void {
    this.#tellClosed(closed)
    this.#store.expire(closed)
  }

  #merged(sessions: readonly Session[], key: Json): Json {
    const { init, merge } = this.#windowing
    let aggregate = init === null ? null : init()
    for (const { value } of sessions) {
      aggregate = aggregate === null ? value : (merge(aggregate, value, key) ?? null)
    }
    return aggregate
  }

  #replace(merged: readonly Session[], session: Session): void {
    const isSame = session.start === session.end // The bounds of a session of one record.
    const known = isSame ? merged[0] : undefined
    for (const one of isSame ? [] : merged) {
      this.#store.delete(one)
      this.#tell({ ...one, before: one.value, after: null })
    }
    this.#store.put(session)
    this.#tell({ ...session, before: known?.value ?? null, after: session.value })
  }

  #tell({ key, start, end, before, after }: Bounds): void {
    if (this.#windowing.emit === 'close') return
    this.#forward({ key, start, end, before, after })
  }

  #tellClosed(closed: number): void {
    if (this.#windowing.emit !== 'close') return
    for (const session of this.#store.ending(this.#told.now, closed - 1)) {
      this.#forward({ ...session, before: null, after: session.value })
    }
    this.#told.observe(Math.max(0, closed))
  }

  #forward({ key, start, end, before, after }: Bounds): void {
    const windowed = { key, start, end }
    this.updates.forward({ key: windowed, before, after, timestamp: end, isLatest: true })
  }
}

interface Bounds {
  readonly key: Json
  readonly start: number
  readonly end: number
  readonly before: Json
  readonly after: Json
}
