import type { Outcome } from './sink.ts'
import type { Position } from './source.ts'

interface Committing {
  readonly position: Position
  readonly outcomes: readonly Outcome[]
}

/** What a part has done since it was made, with one pump or one for each of its partitions. */
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
  /** What was written, while it is not known whether its checkpoint is; by who writes. */
  readonly #committing = new Map<object, Committing>()

  /** `pump` tells pumps apart that share a meter. */
  committing(position: Position, outcomes: readonly Outcome[], pump: object = this): void {
    this.#committing.set(pump, { position, outcomes })
  }

  committed(pump: object = this): void {
    const committing = this.#committing.get(pump)
    if (committing !== undefined) this.count(committing.outcomes)
    this.#committing.delete(pump)
  }

  /** A commit counts also if only its answer was lost: each record is counted once. */
  resumed(from: Position | undefined, pump: object = this): void {
    if (this.#committing.get(pump)?.position === from) this.committed(pump)
    this.#committing.delete(pump)
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
