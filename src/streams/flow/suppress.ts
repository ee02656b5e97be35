import { MillraceError } from '../../core/errors.ts'
import type { Json } from '../../core/json.ts'
import type { OrderedSpace } from '../stores/ordered-space.ts'
import { StreamTime } from '../stores/stream-time.ts'
import { timeOf, timeText } from '../stores/time-text.ts'
import { decodeKey, decodeValue, encodeKey, encodeValue } from '../stores/value-codec.ts'
import type { FlowContext, TableFlow, TableUpdate, Timed } from './flow.ts'
import { Outlet } from './outlet.ts'

export type Suppression = SuppressBounds &
  (
    | { readonly until: 'windowCloses'; readonly openAfterEndMs: number }
    | { readonly until: 'timeLimit'; readonly limitMs: number }
  )

/** How much may be held back, and what happens beyond. Without a bound, everything is. */
export interface SuppressBounds {
  readonly maxRecords?: number | undefined
  readonly maxBytes?: number | undefined
  /** `emit`: the oldest goes out early; `stop`: the view stops. */
  readonly whenFull?: 'emit' | 'stop' | undefined
}

/** Holds updates back, and hands on the last one of each key when its time has come. */
export function suppress(
  parent: TableFlow,
  context: FlowContext,
  suppression: Suppression,
): TableFlow {
  const held = new Suppress(parent, context, suppression)
  context.timed(held)
  return held
}

/** `[before the first held update, its timestamp's text, after, timestamp of the last]` */
type Held = readonly [before: Json, dueText: string, after: Json, timestamp: number]

class Suppress implements TableFlow, Timed {
  readonly kind = 'table'
  readonly clock = 'stream'
  readonly updates = new Outlet<TableUpdate>()
  readonly #parent: TableFlow
  readonly #suppression: Suppression
  readonly #held: OrderedSpace
  /** By the time that counts, then by key; of a window's key, the start comes last. */
  readonly #order: OrderedSpace
  readonly #size: OrderedSpace
  readonly #time: StreamTime

  constructor(parent: TableFlow, context: FlowContext, suppression: Suppression) {
    this.#parent = parent
    this.#suppression = suppression
    this.#held = context.space('held')
    this.#order = context.space('order')
    this.#size = context.space('size')
    this.#time = new StreamTime(context.space('time'))
    parent.knowsBefore(true)
    parent.updates.connect((update) => this.#take(update, context.place.step))
  }

  /** While an update is held back, the row is still what it was before. */
  get(key: Json) {
    const held = this.#held.get([encodeKey(key)])
    if (held === undefined) return this.#parent.get(key)
    const [value] = decodeValue(held) as Held
    return value === null ? null : { value, timestamp: this.#parent.get(key)?.timestamp ?? 0 }
  }

  knowsBefore(force: boolean): boolean {
    return this.#parent.knowsBefore(force)
  }

  due(): number | undefined {
    for (const [parts] of this.#order.scan([])) return timeOf(parts[0]!) + this.#delayMs
    return undefined
  }

  advance(time: number): void {
    this.#emitUntil(this.#time.observe(time) - this.#delayMs)
  }

  #take({ key, before, after, timestamp }: TableUpdate, step: string): void {
    const now = this.#time.observe(timestamp)
    const keyText = encodeKey(key)
    const text = this.#held.get([keyText])
    const known = text === undefined ? undefined : (decodeValue(text) as Held)
    const due = this.#suppression.until === 'windowCloses' ? windowOf(key).end : timestamp
    const dueText = known?.[1] ?? timeText(due)
    const held = encodeValue([known === undefined ? before : known[0], dueText, after, timestamp])
    this.#held.put([keyText], held)
    if (known === undefined) this.#order.put([dueText, ...this.#orderedBy(key), keyText], '')
    this.#grow(known === undefined ? 1 : 0, held.length - (text?.length ?? -keyText.length))
    this.#emitUntil(now - this.#delayMs)
    this.#enforceBounds(step)
  }

  get #delayMs(): number {
    const { suppression } = { suppression: this.#suppression }
    if (suppression.until === 'timeLimit') return suppression.limitMs
    return suppression.openAfterEndMs
  }

  #orderedBy(key: Json): readonly string[] {
    if (this.#suppression.until === 'timeLimit') return []
    const window = windowOf(key)
    return [encodeKey(window.key), timeText(window.start)]
  }

  #emitUntil(due: number): void {
    for (const [parts] of this.#order.scan([])) {
      if (timeOf(parts[0]!) > due) return
      this.#emit(parts)
    }
  }

  #enforceBounds(step: string): void {
    const { maxRecords, maxBytes, whenFull = 'stop' } = this.#suppression
    if (maxRecords === undefined && maxBytes === undefined) return
    for (const [parts] of this.#order.scan([])) {
      const { records, bytes } = this.#sizes
      if (records <= (maxRecords ?? records) && bytes <= (maxBytes ?? bytes)) return
      if (whenFull === 'stop') {
        const message = `${step} holds back ${records} records of ${bytes} bytes, more than it may.`
        throw new MillraceError('VIEW_FAILED', message)
      }
      this.#emit(parts)
    }
  }

  #emit(parts: readonly string[]): void {
    const keyText = parts.at(-1)!
    const text = this.#held.get([keyText])!
    const [before, , after, timestamp] = decodeValue(text) as Held
    this.#order.delete(parts)
    this.#held.delete([keyText])
    this.#grow(-1, -text.length - keyText.length)
    if (after === null && this.#suppression.until === 'windowCloses') return
    const key = decodeKey(keyText)
    this.updates.forward({ key, before, after, timestamp, isLatest: true })
  }

  get #sizes(): { readonly records: number; readonly bytes: number } {
    const [records, bytes] = (this.#size.get(['size']) ?? '0 0').split(' ').map(Number)
    return { records: records!, bytes: bytes! }
  }

  /** Counted only where there is a bound. */
  #grow(records: number, bytes: number): void {
    const { maxRecords, maxBytes } = this.#suppression
    if (maxRecords === undefined && maxBytes === undefined) return
    const size = this.#sizes
    this.#size.put(['size'], `${size.records + records} ${size.bytes + bytes}`)
  }
}

function windowOf(key: Json) {
  return key as { readonly key: Json; readonly start: number; readonly end: number }
}
