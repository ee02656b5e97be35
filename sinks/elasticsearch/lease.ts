/**
 * Tells whether it was long ago that we were seen to own the target. By the monotonic clock, which
 * goes on while the process is stopped: one that wakes after minutes must look before it writes, as
 * another may own the target by then, and what was to be written be long deleted.
 */
export class Lease {
  readonly #leaseMs: number
  readonly #confirm: () => Promise<void>
  #seenAt = Number.NEGATIVE_INFINITY
  #confirming: Promise<void> | undefined

  /** `confirm` looks, and throws if we own the target no longer. */
  constructor(leaseMs: number, confirm: () => Promise<void>) {
    this.#leaseMs = leaseMs
    this.#confirm = confirm
  }

  /** We were seen to own it by an answer to what was asked at `askedAt`. */
  renew(askedAt: number): void {
    this.#seenAt = askedAt
  }

  /** Before anything is written. */
  async assert(): Promise<void> {
    while (performance.now() - this.#seenAt > this.#leaseMs) {
      this.#confirming ??= this.#look().finally(() => {
        this.#confirming = undefined
      })
      await this.#confirming
    }
  }

  async #look(): Promise<void> {
    const askedAt = performance.now()
    await this.#confirm()
    this.#seenAt = askedAt
  }
}
