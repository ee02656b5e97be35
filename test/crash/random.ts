/** Choices that a seed repeats (mulberry32, by Tommy Ettinger); nothing here is secret. */
export class Random {
  #state: number

  constructor(seed: number) {
    this.#state = seed >>> 0
  }

  /** A whole number from 0 to below `bound`. */
  below(bound: number): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0
    const state = this.#state
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * bound)
  }

  between(low: number, high: number): number {
    return low + this.below(high - low)
  }

  pick<T>(values: readonly T[]): T {
    return values[this.below(values.length)]!
  }

  shuffle<T>(values: readonly T[]): T[] {
    const left = [...values]
    return values.map(() => left.splice(this.below(left.length), 1)[0]!)
  }
}
