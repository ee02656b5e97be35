import type { Json, Row } from '../core/json.ts'
import { type Derived, DerivedChange } from './derived-change.ts'
import type { Key, KeyShape } from './key.ts'
import { type Delta, type Node, valueBefore } from './node.ts'
import { type Place, userFunction } from './user-function.ts'

/** Each row becomes another, or none: then the table has no row at that key. */
export type RowMap = (row: Row, key: Json) => Row | null | undefined

/** A table whose rows follow from those of another alone; it keeps no state. */
export class MappedTable implements Node, Derived {
  readonly #parent: Node
  readonly #map: (key: Key, row: Row, keyValue: Json) => Row | null | undefined
  /** Most functions look at the row alone, and a key costs a parse. */
  readonly #wantsKey: boolean
  readonly #delta = new Map<Key, DerivedChange>()

  constructor(parent: Node, map: RowMap, place: Place, wantsKey: boolean) {
    this.#parent = parent
    this.#map = userFunction(map, place)
    this.#wantsKey = wantsKey
  }

  get keys(): KeyShape | undefined {
    return this.#parent.keys
  }

  get delta(): Delta {
    return this.#delta
  }

  get(key: Key): Row | null {
    return this.#mapped(key, this.#parent.get(key))
  }

  before(key: Key): Row | null {
    return this.#mapped(key, valueBefore(this.#parent, key))
  }

  process(): void {
    for (const key of this.#parent.delta.keys()) this.#delta.set(key, new DerivedChange(this, key))
  }

  endRound(): void {
    this.#delta.clear()
  }

  #mapped(key: Key, row: Row | null): Row | null {
    if (row === null) return null
    const keyValue = this.#wantsKey ? this.keys!.value(key) : null
    return this.#map(key, row, keyValue) ?? null
  }
}
