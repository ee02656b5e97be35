import type { Meter } from '../../core/meter.ts'
import type { LogRecord, NewRecord } from '../../core/record.ts'
import type { Sink } from '../../core/sink.ts'
import type { Source } from '../../core/source.ts'
import { CommandFailure } from '../exit.ts'

/** What an order may touch while the pump stands still. */
export interface Stopped<R extends NewRecord = LogRecord> {
  readonly sink: Sink<R>
  readonly source: Source<R>
}

interface Order<R extends NewRecord> {
  readonly work: (stopped: Stopped<R>) => Promise<void>
  readonly done: PromiseWithResolvers<void>
}

export interface Passage<R extends NewRecord = LogRecord> extends Stopped<R> {
  readonly meter: Meter
  /** Runs the pump until aborted. */
  readonly work: (signal: AbortSignal) => Promise<void>
  /** What goes on while it is paused. */
  readonly meanwhile?: ((signal: AbortSignal) => Promise<void>) | undefined
}

/** Lets an operator stop one part while all else runs, and do something to it in between. */
export class Gate<R extends NewRecord = LogRecord> {
  readonly #kind: 'sink' | 'connector'
  #pausedSince: string | null = null
  #orders: Order<R>[] = []
  #turn = new AbortController()
  #isOver = false

  constructor(kind: 'sink' | 'connector' = 'sink') {
    this.#kind = kind
  }

  /** It has ended, and nothing makes it begin again. */
  get isOver(): boolean {
    return this.#isOver
  }

  /** When an operator paused it, or null. */
  get pausedSince(): string | null {
    return this.#pausedSince
  }

  /** What is being written is finished; then it stands still, and keeps its position. */
  pause(since: string): void {
    this.#pausedSince = since
    this.#turn.abort()
  }

  open(): void {
    this.#pausedSince = null
    this.#turn.abort()
  }

  /** Stops the pump for a moment to do something. What is paused stays paused. */
  order(work: Order<R>['work']): Promise<void> {
    if (this.#isOver) throw new CommandFailure('it has ended: start the pipeline again')
    const done = Promise.withResolvers<void>()
    this.#orders.push({ work, done })
    this.#turn.abort()
    return done.promise
  }

  /** Resolves when the work ends by itself, or `signal` aborts. */
  async run(passage: Passage<R>, signal: AbortSignal): Promise<void> {
    const { meter, work } = passage
    try {
      while (!signal.aborted) {
        this.#turn = new AbortController()
        const either = AbortSignal.any([signal, this.#turn.signal])
        await this.#carryOut(passage)
        if (this.#pausedSince === null) await work(either)
        else await this.#wait(passage, either)
        if (!this.#turn.signal.aborted) break
      }
      meter.state = 'stopped'
    } finally {
      this.#isOver = true
      for (const { done } of this.#orders) done.reject(new CommandFailure('it has ended'))
    }
  }

  async #carryOut(stopped: Stopped<R>): Promise<void> {
    for (const { work, done } of this.#orders.splice(0))
      await work(stopped).then(done.resolve, done.reject)
  }

  async #wait({ meter, meanwhile }: Passage<R>, signal: AbortSignal): Promise<void> {
    meter.state = 'paused'
    const resume = `\`millrace ${this.#kind} resume\` lets it go on.`
    meter.reason = `paused by an operator at ${this.#pausedSince}; ${resume}`
    await meanwhile?.(signal)
    await new Promise<void>((resolve) => {
      if (signal.aborted) resolve()
      else signal.addEventListener('abort', () => resolve(), { once: true })
    })
  }
}
