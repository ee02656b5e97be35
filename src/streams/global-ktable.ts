import type { Json } from '../core/json.ts'
import type { Step } from './step.ts'

/**
 * A topic as a table that is whole wherever it is read, so that a stream can be joined with it by
 * any key. Its changes trigger nothing.
 */
export class GlobalKTable<V, K = Json> {
  readonly step: Step
  declare readonly rows: V
  declare readonly keys: K

  constructor(step: Step) {
    this.step = step
  }
}
