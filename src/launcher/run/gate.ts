import { describeError, MillraceError } from '../../core/errors.ts'
import type { Meter } from '../../core/meter.ts'
import type { LogRecord, NewRecord } from '../../core/record.ts'
import type { Sink } from '../../core/sink.ts'
import type { Source } from '../../core/source.ts'
import { CommandFailure } from '../exit.ts'

/** What an order may touch while the pump stands still. */
export interface Stopped<R extends NewRecord = LogRecord> {
  readonly sink: Sink<R>
  readonly source: Source<R>
  /** Of the log, which the source reads. */
  readonly partition: number
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

/** What of a passage the gate has to know while it runs. */
interface Turn<R extends NewRecord> {
  stop: AbortController
  readonly orders: Order<R>[]
}

/**
 * Lets an operator stop one part while all else runs, and do something to it in between. A part
 * that reads several partitions has a passage for each, which stop and go on together.
 */
export class Gate<R extends NewRecord = LogRecord> {
  readonly #kind: 'sink' | 'connector'
  readonly #turns = new Set<Turn<R>>()
  #pausedSince: string | null = null
  /** Why all stand still until an order: records are gone that one of them had not read. */
  #gap: string | undefined
  #hasRun = false

  constructor(kind: 'sink' | 'connector' = 'sink') {
    this.#kind = kind
  }

  /** It has ended, and nothing makes it begin again. */
  get isOver(): boolean {
    return this.#hasRun && this.#turns.size === 0
  }

  /** When an operator paused it, or null. */
  get pausedSince(): string | null {
    return this.#pausedSince
  }

  /** What is being written is finished; then it stands still, and keeps its position. */
  pause(since: string): void {
    this.#pausedSince = since
    this.#stop()
  }

  open(): void {
    this.#pausedSince = null
    this.#stop()
  }

  /**
   * Stops the pumps for a moment to do something to each. What is paused stays paused; what stands
   * still as it has missed something goes on.
   */
  async order(work: Order<R>['work']): Promise<void> {
    if (this.#turns.size === 0) {
      const fix = 'if it does not run elsewhere, start the pipeline again'
      throw new CommandFailure(`it has ended, or nothing of it is read here: ${fix}`)
    }
    const orders = [...this.#turns].map((turn) => {
      const done = Promise.withResolvers<void>()
      turn.orders.push({ work, done })
      return done.promise
    })
    this.#stop()
    await Promise.all(orders)
    if (this.#gap === undefined) return
    this.#gap = undefined
    this.#stop()
  }

  /** The same, but the work is done once, while all stand still. */
  orderOnce(work: () => Promise<void>): Promise<void> {
    let left = this.#turns.size
    const done = Promise.withResolvers<void>()
    const ordered = this.order(async () => {
      if (--left === 0) await work().then(done.resolve, done.reject)
      await done.promise
    })
    ordered.catch(done.reject) // One that has ended is not waited for.
    done.promise.catch(() => {}) // Told by `ordered`.
    return ordered
  }

  /** Resolves when the work ends by itself, or `signal` aborts. */
  async run(passage: Passage<R>, signal: AbortSignal): Promise<void> {
    const turn: Turn<R> = { stop: new AbortController(), orders: [] }
    this.#turns.add(turn)
    this.#hasRun = true
    try {
      while (!signal.aborted) {
        turn.stop = new AbortController()
        await this.#carryOut(turn, passage)
        const either = AbortSignal.any([signal, turn.stop.signal])
        if (this.#pausedSince !== null) await this.#wait(passage, either)
        else if (this.#gap !== undefined) await this.#stand(passage, either)
        else await passage.work(either).catch((error: unknown) => this.#miss(error))
        if (!turn.stop.signal.aborted) break
      }
      passage.meter.state = 'stopped'
    } finally {
      this.#turns.delete(turn)
      for (const { done } of turn.orders) done.reject(new CommandFailure('it has ended'))
    }
  }

  #stop(): void {
    for (const { stop } of this.#turns) stop.abort()
  }

  async #carryOut({ orders }: Turn<R>, stopped: Stopped<R>): Promise<void> {
    for (const { work, done } of orders.splice(0))
      await work(stopped).then(done.resolve, done.reject)
  }

  /** An operator can mend a gap by an order; whatever else fails is the end. */
  #miss(error: unknown): void {
    if (!(error instanceof MillraceError) || error.code !== 'LOG_GAP') throw error
    this.#gap = describeError(error)
    this.#stop()
  }

  async #stand({ meter }: Passage<R>, signal: AbortSignal): Promise<void> {
    meter.state = 'failed'
    meter.reason = this.#gap!
    await aborted(signal)
  }

  async #wait({ meter, meanwhile }: Passage<R>, signal: AbortSignal): Promise<void> {
    meter.state = 'paused'
    const resume = `\`millrace ${this.#kind} resume\` lets it go on.`
    meter.reason = `paused by an operator at ${this.#pausedSince}; ${resume}`
    await meanwhile?.(signal)
    await aborted(signal)
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
}
