import type { Meter } from '../core/meter.ts'
import type { LogRecord } from '../core/record.ts'
import type { Sink } from '../core/sink.ts'
import type { Source } from '../core/source.ts'
import { CommandFailure } from './exit.ts'

/** What an order may touch while the pump stands still. */
export interface Stopped {
  readonly sink: Sink<LogRecord>
  readonly source: Source<LogRecord>
}

interface Order {
  readonly work: (stopped: Stopped) => Promise<void>
  readonly done: PromiseWithResolvers<void>
}

export interface Passage extends Stopped {
  readonly meter: Meter
  /** Runs the pump until aborted. */
  readonly work: (signal: AbortSignal) => Promise<void>
}

/** Lets an operator stop one sink while all else runs, and do something to it in between. */
export class Gate {
  #pausedSince: string | null = null
  #orders: Order[] = []
  #turn = new AbortController()
  #isOver = false

  /** When an operator paused the sink, or null. */
  get pausedSince(): string | null {
    return this.#pausedSince
  }

  /** What is being written is finished; then the sink stands still, and keeps its position. */
  pause(since: string): void {
    this.#pausedSince = since
    this.#turn.abort()
  }

  open(): void {
    this.#pausedSince = null
    this.#turn.abort()
  }

  /** Stops the pump for a moment to do something. A paused sink stays paused. */
  order(work: Order['work']): Promise<void> {
    if (this.#isOver) throw new CommandFailure('it has ended: start the pipeline again')
    const done = Promise.withResolvers<void>()
    this.#orders.push({ work, done })
    this.#turn.abort()
    return done.promise
  }

  /** Resolves when the work ends by itself, or `signal` aborts. */
  async run(passage: Passage, signal: AbortSignal): Promise<void> {
    const { meter, work } = passage
    try {
      while (!signal.aborted) {
        this.#turn = new AbortController()
        const either = AbortSignal.any([signal, this.#turn.signal])
        await this.#carryOut(passage)
        if (this.#pausedSince === null) await work(either)
        else await this.#wait(meter, either)
        if (!this.#turn.signal.aborted) break
      }
      meter.state = 'stopped'
    } finally {
      this.#isOver = true
      for (const { done } of this.#orders) done.reject(new CommandFailure('it has ended'))
    }
  }

  async #carryOut(stopped: Stopped): Promise<void> {
    for (const { work, done } of this.#orders.splice(0))
      await work(stopped).then(done.resolve, done.reject)
  }

  async #wait(meter: Meter, signal: AbortSignal): Promise<void> {
    meter.state = 'paused'
    meter.reason = `paused by an operator at ${this.#pausedSince}; \`millrace sink resume\` lets it go on.`
    await new Promise<void>((resolve) => {
      if (signal.aborted) resolve()
      else signal.addEventListener('abort', () => resolve(), { once: true })
    })
  }
}
