import type { Row } from '../core/json.ts'
import { type Derived, DerivedChange } from './derived-change.ts'
import { type Key, type KeyShape, type KeyValue, toKey } from './key.ts'
import { type Delta, type Node, valueBefore } from './node.ts'
import type { PairSpace } from './space.ts'
import { type Place, userFunction } from './user-function.ts'

export interface JoinFunctions {
  readonly on: (left: Row) => KeyValue | null | undefined
  readonly select: (left: Row, right: Row | null) => Row | null | undefined
  /** Whether a left row without a right one is in the result. */
  readonly isLeft: boolean
}

/**
 * Each left row with the right row that it points at. Of its own it keeps only who points at whom,
 * right key → left keys, to find the left rows that a right row's change concerns.
 */
export class ForeignKeyJoin implements Node, Derived {
  readonly #left: Node
  readonly #right: Node
  readonly #references: PairSpace
  readonly #on: (key: Key, left: Row, none: undefined) => KeyValue | null | undefined
  readonly #select: (key: Key, left: Row, right: Row | null) => Row | null | undefined
  readonly #isLeft: boolean
  readonly #delta = new Map<Key, DerivedChange>()

  constructor(
    sides: { readonly left: Node; readonly right: Node },
    { on, select, isLeft }: JoinFunctions,
    references: PairSpace,
    place: Place,
  ) {
    this.#left = sides.left
    this.#right = sides.right
    this.#references = references
    this.#on = userFunction(on, place)
    this.#select = userFunction(select, place)
    this.#isLeft = isLeft
  }

  get keys(): KeyShape | undefined {
    return this.#left.keys
  }

  get delta(): Delta {
    return this.#delta
  }

  get(key: Key): Row | null {
    const left = this.#left.get(key)
    const points = this.#reference(key, left)
    return this.#joined(key, left, points === null ? null : this.#right.get(points))
  }

  before(key: Key): Row | null {
    const left = valueBefore(this.#left, key)
    const pointed = this.#reference(key, left)
    return this.#joined(key, left, pointed === null ? null : valueBefore(this.#right, pointed))
  }

  process(): void {
    for (const [key, change] of this.#left.delta) {
      this.#point(key, this.#reference(key, change.before), this.#reference(key, change.after))
      this.#delta.set(key, new DerivedChange(this, key))
    }
    for (const rightKey of this.#right.delta.keys()) {
      for (const key of this.#references.seconds(rightKey)) {
        if (!this.#delta.has(key)) this.#delta.set(key, new DerivedChange(this, key))
      }
    }
  }

  endRound(): void {
    this.#delta.clear()
  }

  #point(key: Key, from: Key | null, to: Key | null): void {
    if (from === to) return
    if (from !== null) this.#references.delete(from, key)
    if (to !== null) this.#references.put(to, key)
  }

  #reference(key: Key, left: Row | null): Key | null {
    return left === null ? null : toKey(this.#on(key, left, undefined))
  }

  #joined(key: Key, left: Row | null, right: Row | null): Row | null {
    if (left === null || (right === null && !this.#isLeft)) return null
    return this.#select(key, left, right) ?? null
  }
}
