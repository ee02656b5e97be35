import type { Row } from '../core/json.ts'
import { type Derived, DerivedChange } from './derived-change.ts'
import { compareKeys, type Key, type KeyShape, type KeyValue, type Scalar, toKey } from './key.ts'
import { type Delta, type Node, valueBefore } from './node.ts'
import type { PairSpace } from './space.ts'
import { type Place, userFunction } from './user-function.ts'

export interface NestFunctions {
  readonly on: (child: Row) => KeyValue | null | undefined
  readonly select: (parent: Row, children: readonly Row[]) => Row | null | undefined
  /** Children are in the order of this value, then of their keys. */
  readonly orderBy: ((child: Row) => Scalar | null | undefined) | undefined
}

/**
 * Each parent row with all child rows that point at it. Of its own it keeps only who points at
 * whom, parent key → child keys.
 */
export class Nest implements Node, Derived {
  readonly #parent: Node
  readonly #child: Node
  readonly #references: PairSpace
  readonly #on: (key: Key, child: Row, none: undefined) => KeyValue | null | undefined
  readonly #select: (key: Key, parent: Row, children: readonly Row[]) => Row | null | undefined
  readonly #orderBy: ((key: Key, child: Row, none: undefined) => Key | null) | undefined
  readonly #delta = new Map<Key, DerivedChange>()
  /** Parent key → children that pointed at it before the round, and no longer do. */
  readonly #gone = new Map<Key, Key[]>()

  constructor(
    tables: { readonly parent: Node; readonly child: Node },
    { on, select, orderBy }: NestFunctions,
    references: PairSpace,
    place: Place,
  ) {
    this.#parent = tables.parent
    this.#child = tables.child
    this.#references = references
    this.#on = userFunction(on, place)
    this.#select = userFunction(select, place)
    this.#orderBy = orderBy && userFunction((child: Row) => toKey(orderBy(child)), place)
  }

  get keys(): KeyShape | undefined {
    return this.#parent.keys
  }

  get delta(): Delta {
    return this.#delta
  }

  get(key: Key): Row | null {
    const parent = this.#parent.get(key)
    if (parent === null) return null
    const children: Child[] = []
    for (const childKey of this.#references.seconds(key)) {
      const row = this.#child.get(childKey)
      if (row !== null) children.push(this.#placed(childKey, row))
    }
    return this.#nested(key, parent, children)
  }

  before(key: Key): Row | null {
    const parent = valueBefore(this.#parent, key)
    if (parent === null) return null
    const children: Child[] = []
    for (const childKey of [...this.#references.seconds(key), ...(this.#gone.get(key) ?? [])]) {
      const row = valueBefore(this.#child, childKey)
      const pointedHere = this.#reference(childKey, row) === key
      if (row !== null && pointedHere) children.push(this.#placed(childKey, row))
    }
    return this.#nested(key, parent, children)
  }

  process(): void {
    for (const [key, change] of this.#child.delta) {
      this.#point(key, this.#reference(key, change.before), this.#reference(key, change.after))
    }
    for (const key of this.#parent.delta.keys()) this.#changed(key)
  }

  endRound(): void {
    this.#delta.clear()
    this.#gone.clear()
  }

  #point(key: Key, from: Key | null, to: Key | null): void {
    if (from !== null) this.#changed(from)
    if (to !== null) this.#changed(to)
    if (from === to) return
    if (to !== null) this.#references.put(to, key)
    if (from === null) return
    this.#references.delete(from, key)
    const gone = this.#gone.get(from)
    if (gone === undefined) this.#gone.set(from, [key])
    else gone.push(key)
  }

  #changed(key: Key): void {
    if (!this.#delta.has(key)) this.#delta.set(key, new DerivedChange(this, key))
  }

  #reference(key: Key, child: Row | null): Key | null {
    return child === null ? null : toKey(this.#on(key, child, undefined))
  }

  #placed(key: Key, row: Row): Child {
    return { key, row, order: this.#orderBy?.(key, row, undefined) ?? null }
  }

  #nested(key: Key, parent: Row, children: Child[]): Row | null {
    if (children.length > 1) children.sort(compareChildren)
    return (
      this.#select(
        key,
        parent,
        children.map(({ row }) => row),
      ) ?? null
    )
  }
}

interface Child {
  readonly key: Key
  readonly row: Row
  readonly order: Key | null
}

/** Children without an order stand last, as in SQL. */
function compareChildren(a: Child, b: Child): number {
  if (a.order !== b.order) {
    if (a.order === null) return 1
    if (b.order === null) return -1
    const order = compareKeys(a.order, b.order)
    if (order !== 0) return order
  }
  return compareKeys(a.key, b.key)
}
