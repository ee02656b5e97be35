import { setImmediate } from 'node:timers/promises'

/** So long may work go on before others get their turn. */
const turnMs = 10

/** Lets long work leave room for everything else that the process does. */
export class Turns {
  #since = 0

  /** Work begins: the time since the last does not count. */
  begin(): void {
    this.#since = performance.now()
  }

  get isOver(): boolean {
    return performance.now() - this.#since >= turnMs
  }

  async next(): Promise<void> {
    await setImmediate()
    this.begin()
  }
}
