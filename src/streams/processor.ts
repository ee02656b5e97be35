import type { DueTimer, Processing } from './flow/stream-process.ts'

export type { DueTimer, Processing, ProcessorStore } from './flow/stream-process.ts'

/**
 * Code of one's own between two streams. It must depend on its arguments, its stores and the times
 * it is given alone: what a clock says comes as a timer, and is then the same in every replay.
 */
export interface Processor<V, K> {
  /** Names of its stores, by which they can be read from outside, too. */
  readonly stores?: readonly string[]
  process(
    record: { readonly key: K; readonly value: V; readonly timestamp: number },
    processing: Processing,
  ): void
  /**
   * A timer that was set has come due: of clock `stream` once a record or tick is as late, of clock
   * `wall` once the task's owner has decided that it is.
   */
  onTimer?(timer: DueTimer, processing: Processing): void
}
