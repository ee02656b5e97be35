/**
 * How many calls of one write are under way: enough for the server never to wait for us, and so few
 * that what they hold dies young. All 100 calls of a write of 10,000 documents at once cost 1.5 µs
 * a document more, in garbage collection.
 */
const most = 10

/** Calls under way, of which the first failure is told once all have ended. */
export class InFlight {
  readonly #calls = new Set<Promise<void>>()
  #failure: { readonly error: unknown } | undefined

  /** Starts a call once there is room for it; after a failure none is started. */
  async start(call: () => Promise<void>): Promise<void> {
    while (this.#calls.size >= most) await Promise.race(this.#calls)
    if (this.#failure !== undefined) return
    const running: Promise<void> = call()
      .catch((error: unknown) => void (this.#failure ??= { error }))
      .then(() => void this.#calls.delete(running))
    this.#calls.add(running)
  }

  /** Resolves when nothing is under way any more. Throws the first failure. */
  async end(): Promise<void> {
    await Promise.all(this.#calls)
    if (this.#failure !== undefined) throw this.#failure.error
  }
}

/** Makes all calls, and gives their answers in order. */
export async function answersOf<T>(
  calls: readonly T[],
  ask: (call: T) => Promise<unknown>,
): Promise<unknown[]> {
  const answers: unknown[] = []
  const inFlight = new InFlight()
  for (const [i, call] of calls.entries()) {
    await inFlight.start(async () => {
      answers[i] = await ask(call)
    })
  }
  await inFlight.end()
  return answers
}
