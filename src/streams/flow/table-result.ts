import type { Json } from '../../core/json.ts'
import { KeyValueStore } from '../stores/key-value-store.ts'
import type { Stamped } from '../stores/stamped.ts'
import type { FlowContext, TableFlow, TableUpdate } from './flow.ts'
import { Outlet } from './outlet.ts'

/** How a table without a store finds its rows. */
export interface Unstored {
  get(key: Json): Stamped | null
  knowsBefore(force: boolean): boolean
}

/** Makes a table's rows readable from outside. */
export function readableRows(store: {
  get(key: Json): Stamped | null
  entries(): Iterable<readonly [Json, Stamped]>
}) {
  return {
    get: (key: Json) => store.get(key)?.value ?? null,
    *entries() {
      for (const [key, stamped] of store.entries()) yield { key, ...stamped }
    },
  }
}

/**
 * What every operator that yields a table ends with: keeps the rows if they were given a store, or
 * if somebody below must know what was there before.
 */
export class TableResult implements TableFlow {
  readonly kind = 'table'
  readonly updates = new Outlet<TableUpdate>()
  readonly #context: FlowContext
  readonly #unstored: Unstored | undefined
  #store: KeyValueStore | undefined

  constructor(context: FlowContext, isStored: boolean, unstored?: Unstored) {
    this.#context = context
    this.#unstored = unstored
    if (isStored || unstored === undefined) this.#keepRows()
  }

  get(key: Json): Stamped | null {
    return (this.#store ?? this.#unstored!).get(key)
  }

  knowsBefore(force: boolean): boolean {
    if (this.#store !== undefined || this.#unstored!.knowsBefore(force)) return true
    if (force) this.#keepRows()
    return force
  }

  /** Takes an update in; `before` is the store's, if there is one. */
  emit(update: TableUpdate): void {
    const { key, after, timestamp } = update
    const store = this.#store
    if (store === undefined) {
      this.updates.forward(update)
      return
    }
    const before = store.get(key)?.value ?? null
    store.put(key, { value: after, timestamp })
    this.updates.forward({ ...update, before })
  }

  #keepRows(): void {
    this.#store = new KeyValueStore(this.#context.space('rows'))
    this.#context.readable(readableRows(this.#store))
  }
}
