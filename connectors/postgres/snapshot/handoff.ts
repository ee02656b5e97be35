/** Hands things from many to one, each when the one is ready for it: who gives waits until then. */
export class Handoff<T> {
  readonly #offers: { readonly item: T; readonly taken: () => void }[] = []
  #wake: (() => void) | undefined
  #failure: { readonly error: unknown } | undefined
  #isClosed = false

  /** Resolves once the item is taken. */
  give(item: T): Promise<void> {
    return new Promise((taken) => {
      this.#offers.push({ item, taken })
      this.#wake?.()
    })
  }

  /** Nothing more comes. */
  close(): void {
    this.#isClosed = true
    this.#wake?.()
  }

  /** The one who takes shall throw this. */
  fail(error: unknown): void {
    this.#failure ??= { error }
    this.#wake?.()
  }

  async *items(signal: AbortSignal): AsyncGenerator<T> {
    const wake = () => this.#wake?.()
    signal.addEventListener('abort', wake)
    try {
      while (!signal.aborted) {
        if (this.#failure !== undefined) throw this.#failure.error
        const offer = this.#offers.shift()
        if (offer !== undefined) {
          offer.taken()
          yield offer.item
        } else if (this.#isClosed) return
        else await new Promise<void>((resolve) => (this.#wake = resolve))
      }
    } finally {
      signal.removeEventListener('abort', wake)
    }
  }
}
