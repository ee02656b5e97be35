import type { Word } from './resp.ts'

/** One call of a script, under way to become full. */
export interface Call<T> {
  /** What it writes, in the order of the answer's letters. */
  readonly items: T[]
  readonly keys: string[]
  readonly args: Word[]
  /** Of the contents. */
  bytes: number
}

export interface Grouping {
  /** Arguments that every call begins with. */
  readonly head: readonly string[]
  /** Most items in one call: the server does nothing else meanwhile. */
  readonly batchKeys: number
  /** Keys of other slots go into other calls. */
  readonly slotOf: (key: string) => number
}

/** A call with large contents is cut here, so that the server answers others in between. */
const callBytes = 1024 * 1024

/** Groups items into calls. Those of one slot come in the order in which they were added. */
export class Calls<T> {
  readonly all: Call<T>[] = []
  readonly #grouping: Grouping
  readonly #open = new Map<number, Call<T>>()

  constructor(grouping: Grouping) {
    this.#grouping = grouping
  }

  /** The call that takes the next item, which lies at `key`. */
  at(key: string): Call<T> {
    const { head, batchKeys, slotOf } = this.#grouping
    const slot = slotOf(key)
    const open = this.#open.get(slot)
    if (open !== undefined && open.items.length < batchKeys && open.bytes < callBytes) return open
    const call: Call<T> = { items: [], keys: [], args: [...head], bytes: 0 }
    this.all.push(call)
    this.#open.set(slot, call)
    return call
  }
}
