/** What several iterations yield, as it comes. Ends with the first that fails, or with the last. */
export async function* interleave<T>(iterations: readonly AsyncIterable<T>[]): AsyncGenerator<T> {
  const iterators = iterations.map((each) => each[Symbol.asyncIterator]())
  const pending = new Map<AsyncIterator<T>, Promise<[AsyncIterator<T>, IteratorResult<T>]>>()
  const ask = (iterator: AsyncIterator<T>) => {
    pending.set(
      iterator,
      iterator.next().then((result) => [iterator, result]),
    )
  }
  for (const iterator of iterators) ask(iterator)
  try {
    while (pending.size > 0) {
      const [iterator, result] = await Promise.race(pending.values())
      pending.delete(iterator)
      if (result.done) continue
      yield result.value
      ask(iterator)
    }
  } finally {
    for (const iterator of iterators) void iterator.return?.()
  }
}
