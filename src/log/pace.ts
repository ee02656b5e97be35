import { setTimeout as sleep } from 'node:timers/promises'

/** Work in the background goes on for so long, then the rest of the program has a turn. */
const sliceMs = 4

/** Keeps work in the background from taking more than a share of the processor. */
export class Pace {
  readonly #signal: AbortSignal | undefined
  readonly #restTimes: number
  #startedAt = performance.now()

  /** Rests for `restTimes` as long as it has worked: by default it takes a fifth of a processor. */
  constructor(signal?: AbortSignal, restTimes = 4) {
    this.#signal = signal
    this.#restTimes = restTimes
  }

  /** To be awaited often; mostly it returns at once. Throws once the signal aborts. */
  async rest(): Promise<void> {
    const workedMs = performance.now() - this.#startedAt
    if (workedMs < sliceMs) return
    await sleep(workedMs * this.#restTimes, undefined, { signal: this.#signal })
    this.#startedAt = performance.now()
  }

  /** What was waited for since does not count as work. */
  resume(): void {
    this.#startedAt = performance.now()
  }
}
