import type { Json } from '../../core/json.ts'
import type { OrderedSpace } from '../stores/ordered-space.ts'
import type { Stamped } from '../stores/stamped.ts'
import { timeOf, timeText } from '../stores/time-text.ts'
import { decodeKey, encodeKey } from '../stores/value-codec.ts'
import { WindowStore } from '../stores/window-store.ts'
import type { FlowContext, TableFlow, TableUpdate } from './flow.ts'
import { Outlet } from './outlet.ts'

/** When a window's value is told: with every record, or once, when it can no longer change. */
export type Emit = 'update' | 'close'

export interface WindowKeeping {
  readonly emit: Emit
  readonly retentionMs: number
  /** From a window's start to the end that its key names. */
  readonly lengthMs: number
}

/** A table of windows: what the aggregates over time and sliding windows end with. */
export class WindowResult implements TableFlow {
  readonly kind = 'table'
  readonly updates = new Outlet<TableUpdate>()
  readonly store: WindowStore
  readonly #lengthMs: number
  /** Windows that have not been told yet, by start; only where they are told at their close. */
  readonly #untold: OrderedSpace | undefined

  constructor(context: FlowContext, { emit, retentionMs, lengthMs }: WindowKeeping) {
    const [rows, byStart] = [context.space('rows'), context.space('starts')]
    this.store = new WindowStore(rows, byStart, retentionMs)
    this.#lengthMs = lengthMs
    if (emit === 'close') this.#untold = context.space('untold')
    context.readable(this.#readable())
  }

  get(key: Json): Stamped | null {
    const window = key as { readonly key: Json; readonly start: number }
    return this.store.get(window.key, window.start)
  }

  knowsBefore(): boolean {
    return true
  }

  put(key: Json, start: number, before: Json, { value, timestamp }: Stamped): void {
    this.store.put(key, start, { value, timestamp }, before !== null)
    if (this.#untold === undefined) this.#tell(key, start, { before, after: value, timestamp })
    else this.#untold.put([timeText(start), encodeKey(key)], '')
  }

  /** The start of the first window that has not been told yet. */
  get firstUntold(): number | undefined {
    for (const [[startText]] of this.#untold?.scan([]) ?? []) return timeOf(startText!)
    return undefined
  }

  /** Tells windows that start at or before this time, by start and key. */
  tellUntil(start: number): void {
    if (this.#untold === undefined) return
    for (const [[startText, keyText]] of this.#untold.scan([])) {
      if (timeOf(startText!) > start) return
      this.#untold.delete([startText!, keyText!])
      const key = decodeKey(keyText!)
      const stamped = this.store.get(key, timeOf(startText!))
      if (stamped === null) continue
      const { value: after, timestamp } = stamped
      this.#tell(key, timeOf(startText!), { before: null, after, timestamp })
    }
  }

  #tell(key: Json, start: number, change: Omit<TableUpdate, 'key' | 'isLatest'>): void {
    const windowed = { key, start, end: start + this.#lengthMs }
    this.updates.forward({ key: windowed, ...change, isLatest: true })
  }

  #readable() {
    const { store } = this
    const lengthMs = this.#lengthMs
    return {
      get: (key: Json) => this.get(key)?.value ?? null,
      *entries() {
        for (const { key, start, stamped } of store.entries()) {
          yield { key, start, end: start + lengthMs, ...stamped }
        }
      },
    }
  }
}

/** A time so much later, if there is one. */
export function later(time: number | undefined, ms: number): number | undefined {
  return time === undefined ? undefined : time + ms
}
