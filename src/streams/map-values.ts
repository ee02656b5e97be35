import type { Row } from '../core/json.ts'
import { type Derived, DerivedChange } from './derived-change.ts'
import type { Key, KeyShape } from './key.ts'
import { type Delta, type Node, valueBefore } from './node.ts'
import { type Place, userFunction } from './user-function.ts'

/** Each row becomes another, or none: then the table has no row at that key. */
export type RowMap = (row: Row) => Row | null | undefined

/** A table whose rows follow from those of another alone; it keeps no state. */
export class MappedTable implements Node, Derived {
  readonly #parent: Node
  readonly #map: (key: Key, row: Row, none: undefined) => Row | null | undefined
  readonly #delta = new Map<Key, DerivedChange>()

  constructor(parent: Node, map: RowMap, place: Place) {
    this.#parent = parent
    this.#map = userFunction(map, place)
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
    return row === null ? null : (this.#map(key, row, undefined) ?? null)
  }
}
