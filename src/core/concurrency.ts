/** So much slower than at its best a target may be before requests are only queueing there. */
const goodFactor = 1.7
const badFactor = 4

/**
 * How many requests a target shall have at once. One more after each that was as fast as ever
 * (additive increase); half as many when the target says that it is too busy, and a tenth fewer
 * when requests take much longer than they did (multiplicative decrease).
 *
 * Fast is compared among requests of about one size: the quickest of them, forgotten slowly.
 */
export class Concurrency {
  readonly #most: number
  #limit: number
  /** In ms, by the binary logarithm of the size. */
  readonly #best: number[] = []

  constructor(most: number, start = Math.min(2, most)) {
    this.#most = most
    this.#limit = start
  }

  get limit(): number {
    return Math.floor(this.#limit)
  }

  /** A request of `size` items was answered after `ms`. */
  answered(size: number, ms: number): void {
    const group = Math.floor(Math.log2(Math.max(1, size)))
    const best = Math.min((this.#best[group] ?? ms) * 1.01, ms)
    this.#best[group] = best
    if (ms <= best * goodFactor) this.#set(this.#limit + 1 / this.#limit)
    else if (ms > best * badFactor) this.#set(this.#limit * 0.9)
  }

  /** The target was too busy for a request, or for a part of it. */
  refused(): void {
    this.#set(this.#limit / 2)
  }

  #set(limit: number): void {
    this.#limit = Math.min(this.#most, Math.max(1, limit))
  }
}
