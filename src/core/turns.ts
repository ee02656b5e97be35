import { setImmediate } from 'node:timers/promises'

/** So long may work go on before others get their turn. */
const turnMs = 10

/** Lets long work leave room for everything else that the process does. */
export class Turns {
  #since = performance.now()

  get isOver(): boolean {
    return performance.now() - this.#since >= turnMs
  }

  async next(): Promise<void> {
    await setImmediate()
    this.#since = performance.now()
  }
}
