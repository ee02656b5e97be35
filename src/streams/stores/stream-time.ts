import type { OrderedSpace } from './ordered-space.ts'

/** The highest time that an operator has seen; it never falls, a restart included. */
export class StreamTime {
  readonly #space: OrderedSpace
  readonly #name: readonly string[]
  /** Nobody else writes it. */
  #now: number | undefined

  constructor(space: OrderedSpace, name = 'time') {
    this.#space = space
    this.#name = [name]
  }

  /** −1 before the first record. */
  get now(): number {
    return (this.#now ??= Number(this.#space.get(this.#name) ?? -1))
  }

  /** The time with this record taken in. */
  observe(timestamp: number): number {
    const { now } = this
    if (timestamp <= now) return now
    this.#now = timestamp
    this.#space.put(this.#name, String(timestamp))
    return timestamp
  }
}
