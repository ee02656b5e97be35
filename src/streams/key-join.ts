import type { Json, Row } from '../core/json.ts'
import { type Derived, DerivedChange } from './derived-change.ts'
import type { JoinType } from './flow/table-join.ts'
import type { Key, KeyShape } from './key.ts'
import { type Delta, type Node, valueBefore } from './node.ts'
import { failure, type Place } from './user-function.ts'

export interface KeyJoinFunctions {
  readonly type: JoinType
  readonly select: (left: Row | null, right: Row | null, key: Json) => Row | null | undefined
}

/** The rows of two tables that have the same key. It keeps no state. */
export class KeyJoin implements Node, Derived {
  readonly #left: Node
  readonly #right: Node
  readonly #functions: KeyJoinFunctions
  readonly #place: Place
  readonly #delta = new Map<Key, DerivedChange>()

  constructor(
    sides: { readonly left: Node; readonly right: Node },
    functions: KeyJoinFunctions,
    place: Place,
  ) {
    this.#left = sides.left
    this.#right = sides.right
    this.#functions = functions
    this.#place = place
  }

  get keys(): KeyShape | undefined {
    return this.#left.keys ?? this.#right.keys
  }

  get delta(): Delta {
    return this.#delta
  }

  get(key: Key): Row | null {
    return this.#joined(key, this.#left.get(key), this.#right.get(key))
  }

  before(key: Key): Row | null {
    return this.#joined(key, valueBefore(this.#left, key), valueBefore(this.#right, key))
  }

  process(): void {
    for (const side of [this.#left, this.#right]) {
      for (const key of side.delta.keys()) {
        if (!this.#delta.has(key)) this.#delta.set(key, new DerivedChange(this, key))
      }
    }
  }

  endRound(): void {
    this.#delta.clear()
  }

  #joined(key: Key, left: Row | null, right: Row | null): Row | null {
    const { type, select } = this.#functions
    if (left === null && (type !== 'outer' || right === null)) return null
    if (right === null && type === 'inner') return null
    try {
      return select(left, right, this.keys?.value(key) ?? null) ?? null
    } catch (cause) {
      throw failure(this.#place, key, cause)
    }
  }
}
