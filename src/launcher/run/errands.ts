import { coverage } from '../../core/gather.ts'
import type { LogRecord } from '../../core/record.ts'
import type { RefusalGuard } from '../../core/refusal-guard.ts'
import type { Outcome, Sink } from '../../core/sink.ts'
import type { Batch, Position, Source } from '../../core/source.ts'

interface Errand {
  readonly records: readonly LogRecord[]
  readonly done: PromiseWithResolvers<readonly Outcome[]>
  outcomes: readonly Outcome[] | undefined
}

/**
 * Writes records through a sink while its pump runs: replayed letters, repairs. They go the way of
 * all records, as batches of their own between those of the source, with the position of the batch
 * before. So whatever the pump promises holds for them, and no second owner of a target is needed.
 */
export class Errands {
  readonly #queue: Errand[] = []
  /** By the batch that carries them, until it is committed. */
  readonly #taken = new Map<Batch<LogRecord>, Errand>()
  #wake = () => {}

  /**
   * Resolves once the records are durable in the target, or rejects when `signal` aborts, after
   * which they may have been written all the same. While nothing was ever committed they wait.
   */
  async write(records: readonly LogRecord[], signal: AbortSignal): Promise<readonly Outcome[]> {
    signal.throwIfAborted()
    const done = Promise.withResolvers<readonly Outcome[]>()
    const errand: Errand = { records, done, outcomes: undefined }
    const give = () => {
      const at = this.#queue.indexOf(errand)
      if (at >= 0) this.#queue.splice(at, 1)
      done.reject(signal.reason)
    }
    signal.addEventListener('abort', give, { once: true })
    this.#queue.push(errand)
    this.#wake()
    try {
      return await done.promise
    } finally {
      signal.removeEventListener('abort', give)
    }
  }

  /** The same source, with the errands in between. */
  join(source: Source<LogRecord>): Source<LogRecord> {
    return {
      name: source.name,
      knows: (position) => source.knows(position),
      read: (from, signal) => this.#merge(source.read(from, signal), from),
      ack: (position) => source.ack(position),
    }
  }

  /** The same sink, which settles errands, and lets the guard see all but them. */
  watch(sink: Sink<LogRecord>, guard: RefusalGuard): Sink<LogRecord> {
    return {
      overlaps: sink.overlaps === true,
      resume: (source) => {
        this.#putBack()
        return sink.resume(source)
      },
      clear: (source) => sink.clear(source),
      write: async (batch) => {
        const outcomes = await sink.write(batch)
        const errand = this.#taken.get(batch)
        if (errand === undefined) guard.observe(outcomes)
        else errand.outcomes = outcomes
        return outcomes
      },
      commit: async (checkpoint) => {
        await sink.commit(checkpoint)
        this.#settle()
      },
      close: () => sink.close(),
    }
  }

  async *#merge(
    batches: AsyncIterable<Batch<LogRecord>>,
    from: Position | undefined,
  ): AsyncGenerator<Batch<LogRecord>> {
    const iterator = batches[Symbol.asyncIterator]()
    let position = from
    let mayComeBetween = true
    const isCovered = coverage()
    let next: Promise<IteratorResult<Batch<LogRecord>>> | undefined
    try {
      for (;;) {
        const isFree = mayComeBetween && position !== undefined
        const errand = isFree ? this.#queue.shift() : undefined
        if (errand !== undefined) {
          yield this.#take(errand, position!)
          continue
        }
        next ??= iterator.next()
        next.catch(() => {}) // Reported by the `await`.
        const woken = new Promise<undefined>((resolve) => {
          this.#wake = () => resolve(undefined)
        })
        const result = await Promise.race([next, woken])
        if (result === undefined) continue
        if (result.done) return
        next = undefined
        position = result.value.position
        mayComeBetween = isCovered(result.value)
        yield result.value
      }
    } finally {
      await iterator.return?.()
    }
  }

  #take(errand: Errand, position: Position): Batch<LogRecord> {
    const batch = { records: errand.records, position, complete: true, alone: true }
    this.#taken.set(batch, errand)
    return batch
  }

  /** What was not committed is tried again. */
  #putBack(): void {
    for (const errand of this.#taken.values()) {
      errand.outcomes = undefined
      this.#queue.push(errand)
    }
    this.#taken.clear()
  }

  #settle(): void {
    for (const [batch, { outcomes, done }] of this.#taken) {
      if (outcomes === undefined) continue
      this.#taken.delete(batch)
      done.resolve(outcomes)
    }
  }
}
