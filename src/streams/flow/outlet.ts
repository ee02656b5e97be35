/** Hands what comes out of an operator to those below it, in the order of their definition. */
export class Outlet<T> {
  readonly #listeners: ((item: T) => void)[] = []

  connect(listener: (item: T) => void): void {
    this.#listeners.push(listener)
  }

  forward(item: T): void {
    for (const listener of this.#listeners) listener(item)
  }
}
