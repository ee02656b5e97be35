import { Skipped } from './skipped.ts'

/** Hands what comes out of an operator to those below it, in the order of their definition. */
export class Outlet<T> {
  readonly #listeners: ((item: T) => void)[] = []

  connect(listener: (item: T) => void): void {
    this.#listeners.push(listener)
  }

  /** An operator in which the user's code failed leaves the item out; its neighbours get it. */
  forward(item: T): void {
    for (const listener of this.#listeners) {
      try {
        listener(item)
      } catch (error) {
        if (!(error instanceof Skipped)) throw error
      }
    }
  }
}
