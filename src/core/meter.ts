import type { Outcome } from './sink.ts'
import type { Position } from './source.ts'

/** What one pump has done since it was made. Read by status; written by the pump alone. */
export class Meter {
  state: 'starting' | 'running' | 'retrying' | 'paused' | 'failed' | 'stopped' = 'starting'
  /** Why it is not running, with the hint that says what to do. */
  reason: string | null = null
  records = 0
  applied = 0
  stale = 0
  coalesced = 0
  filtered = 0
  dead = 0
  batches = 0
  retries = 0
  /** Time of the newest record passed on, in ms since 1970; 0 before the first. */
  timestamp = 0
  /** What was written, while it is not known whether its checkpoint is. */
  #committing: { readonly position: Position; readonly outcomes: readonly Outcome[] } | undefined

  committing(position: Position, outcomes: readonly Outcome[]): void {
    this.#committing = { position, outcomes }
  }

  committed(): void {
    if (this.#committing !== undefined) this.count(this.#committing.outcomes)
    this.#committing = undefined
  }

  /** A commit counts also if only its answer was lost: each record is counted once. */
  resumed(from: Position | undefined): void {
    if (this.#committing?.position === from) this.committed()
    this.#committing = undefined
  }

  count(outcomes: readonly Outcome[]): void {
    this.batches++
    this.records += outcomes.length
    for (const outcome of outcomes) {
      if (typeof outcome === 'string') this[outcome]++
      else this.dead++
    }
  }
}
