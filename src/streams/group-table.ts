import type { Json, Row } from '../core/json.ts'
import { type Key, KeyShape, type KeyValue, toKey } from './key.ts'
import type { Change, Delta, Node } from './node.ts'
import type { OrderedSpace } from './stores/ordered-space.ts'
import { decodeValue, encodeValue } from './stores/value-codec.ts'
import { failure, type Place } from './user-function.ts'

export interface GroupFunctions {
  /** Of a row the key of its group and what goes into the aggregate; null: neither. */
  readonly regroup: (row: Row, key: Json) => readonly [KeyValue | null, Json] | null
  /** Null: the first value is the aggregate. */
  readonly init: (() => Json) | null
  readonly add: (aggregate: Json, value: Json, key: KeyValue) => Json
  readonly subtract: (aggregate: Json, value: Json, key: KeyValue) => Json
}

/** What a round does to one group. */
interface Turn {
  readonly key: KeyValue
  readonly removed: Json[]
  readonly added: Json[]
}

/** `[number of rows, aggregate]` */
type Group = readonly [rows: number, aggregate: Json]

/**
 * The rows of each group of a table as one. A round takes out what was and puts in what is, and
 * tells the outcome once; a group without rows is gone, as in SQL.
 */
export class GroupTable implements Node {
  readonly #parent: Node
  readonly #functions: GroupFunctions
  readonly #groups: OrderedSpace
  readonly #columns: OrderedSpace
  readonly #place: Place
  readonly #delta = new Map<Key, Change>()
  #keys: KeyShape | undefined

  constructor(
    parent: Node,
    functions: GroupFunctions,
    state: (part: string) => OrderedSpace,
    place: Place,
  ) {
    this.#parent = parent
    this.#functions = functions
    this.#groups = state('groups')
    this.#columns = state('columns')
    this.#place = place
    const columns = this.#columns.get(['columns'])
    if (columns !== undefined) this.#keys = new KeyShape(JSON.parse(columns) as readonly string[])
  }

  get keys(): KeyShape | undefined {
    return this.#keys
  }

  get delta(): Delta {
    return this.#delta
  }

  get(key: Key): Row | null {
    return (this.#group(key)?.[1] ?? null) as Row | null
  }

  process(): void {
    for (const [key, turn] of this.#turns()) {
      const group = this.#group(key)
      const next = this.#turned(key, turn, group)
      if (next === undefined) this.#groups.delete([key])
      else this.#groups.put([key], encodeValue(next))
      const [before, after] = [group?.[1] ?? null, next?.[1] ?? null]
      this.#delta.set(key, { before: before as Row | null, after: after as Row | null })
    }
  }

  endRound(): void {
    this.#delta.clear()
  }

  #turns(): ReadonlyMap<Key, Turn> {
    const turns = new Map<Key, Turn>()
    for (const [key, { before, after }] of this.#parent.delta) {
      const [from, to] = [this.#placed(key, before), this.#placed(key, after)]
      if (from !== null) this.#turn(turns, from[0]).removed.push(from[1])
      if (to !== null) this.#turn(turns, to[0]).added.push(to[1])
    }
    return turns
  }

  #placed(key: Key, row: Row | null): readonly [KeyValue, Json] | null {
    if (row === null) return null
    const { regroup } = this.#functions
    const pair = this.#call(key, () => regroup(row, this.#parent.keys?.value(key) ?? null))
    const [groupKey, value] = pair ?? [null, null]
    return groupKey === null || (value ?? null) === null ? null : [groupKey, value]
  }

  #turn(turns: Map<Key, Turn>, groupKey: KeyValue): Turn {
    const key = toKey(groupKey)
    if (key === null) return { key: groupKey, removed: [], added: [] }
    const known = turns.get(key)
    if (known !== undefined) return known
    this.#learnKeys(groupKey)
    const turn = { key: groupKey, removed: [], added: [] }
    turns.set(key, turn)
    return turn
  }

  #turned(key: Key, { key: groupKey, removed, added }: Turn, group: Group | undefined) {
    const { init, add, subtract } = this.#functions
    const [before, old] = group ?? [0, null]
    const rows = before - removed.length + added.length
    if (rows === 0) return undefined
    return this.#call(key, (): Group => {
      // What is left of an emptied group could differ from an empty one: a sum of fractions.
      const isEmptied = before === removed.length
      let aggregate: Json = isEmptied ? null : old
      for (const one of isEmptied ? [] : removed) {
        if (aggregate !== null) aggregate = subtract(aggregate, one, groupKey) ?? null
      }
      for (const one of added) {
        const isFirst = aggregate === null && init === null
        aggregate = isFirst ? one : add(aggregate ?? init!(), one, groupKey)
      }
      return [rows, aggregate ?? null]
    })
  }

  #group(key: Key): Group | undefined {
    const text = this.#groups.get([key])
    return text === undefined ? undefined : (decodeValue(text) as unknown as Group)
  }

  /** A group's key of one value stands in a column named `key`. */
  #learnKeys(key: KeyValue): void {
    if (this.#keys !== undefined) return
    const columns = typeof key === 'object' ? Object.keys(key) : ['key']
    this.#keys = new KeyShape(columns)
    this.#columns.put(['columns'], JSON.stringify(columns))
  }

  #call<R>(key: Key, call: () => R): R {
    try {
      return call()
    } catch (cause) {
      throw failure(this.#place, key, cause)
    }
  }
}
