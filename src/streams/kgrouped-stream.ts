import type { Json } from '../core/json.ts'
import { CogroupedStream } from './cogrouped-stream.ts'
import { deriveStep } from './derive-step.ts'
import { streamOf } from './flow/kinds.ts'
import { aggregateStreams } from './flow/stream-aggregate.ts'
import { type UserCode, userCode } from './flow/user-code.ts'
import type { Emit } from './flow/window-result.ts'
import { KTable, type Stored } from './ktable.ts'
import type { Step } from './step.ts'
import { WindowedStream } from './windowed-stream.ts'
import type { Windows } from './windows.ts'

/** How values become an aggregate. */
export interface Aggregating<V, K, A> extends Stored {
  readonly init: () => A
  /** The aggregate with one more value in it; null deletes it. */
  readonly add: (aggregate: A, value: NonNullable<V>, key: K) => A | null
}

export interface WindowedBy {
  /** `close` tells each window once, when it can no longer change. */
  readonly emit?: Emit
  /** How long windows can be read; at least until they close. A day by default. */
  readonly retentionMs?: number
}

/** A stream by its keys. Null keys are left out, and without windows null values too. */
export class KGroupedStream<V, K> {
  readonly step: Step

  constructor(step: Step) {
    this.step = step
  }

  count({ store }: Stored = {}): KTable<number, K> {
    const add = (count: number) => count + 1
    return this.#aggregate('count', { init: () => 0, add, store })
  }

  /** The first value is the aggregate; each further one is taken into it. */
  reduce(
    add: (aggregate: NonNullable<V>, value: NonNullable<V>, key: K) => V | null,
    { store }: Stored = {},
  ): KTable<NonNullable<V>, K> {
    return this.#aggregate('reduce', { init: null, add, store })
  }

  aggregate<A>({ init, add, store }: Aggregating<V, K, A>): KTable<A, K> {
    return this.#aggregate('aggregate', { init, add, store })
  }

  windowedBy(windows: Windows, options: WindowedBy = {}): WindowedStream<V, K> {
    return new WindowedStream([{ step: this.step, add: undefined }], windows, options)
  }

  /** Begins an aggregate of several streams, each with a function of its own. */
  cogroup<A>(add: (aggregate: A, value: NonNullable<V>, key: K) => A | null) {
    return new CogroupedStream<A, K>([{ step: this.step, add }])
  }

  #aggregate<A>(
    kind: string,
    { init, add, store }: { init: UserCode | null; add: UserCode; store: string | undefined },
  ): KTable<A, K> {
    return new KTable(
      deriveStep(this.step, {
        ...{ kind, store, told: [init, add] },
        flow: ([parent], context) => {
          const call = userCode<readonly Json[], Json>(add, context.place)
          const first = init === null ? null : userCode<[], Json>(init, context.place)
          return aggregateStreams([{ stream: streamOf(parent), add: call }], context, first)
        },
      }),
    )
  }
}
