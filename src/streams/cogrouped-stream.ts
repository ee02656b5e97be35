import type { Json } from '../core/json.ts'
import { deriveStep } from './derive-step.ts'
import { streamOf } from './flow/kinds.ts'
import { aggregateStreams } from './flow/stream-aggregate.ts'
import { type UserCode, userCode } from './flow/user-code.ts'
import type { KGroupedStream, WindowedBy } from './kgrouped-stream.ts'
import { KTable, type Stored } from './ktable.ts'
import type { Step } from './step.ts'
import { WindowedStream } from './windowed-stream.ts'
import type { Windows } from './windows.ts'

/** A grouped stream and how its values are taken in; `undefined`: as the aggregation says. */
export interface GroupInput {
  readonly step: Step
  readonly add: UserCode | undefined
}

/** Several grouped streams on their way into one aggregate. */
export class CogroupedStream<A, K> {
  readonly #inputs: readonly GroupInput[]

  constructor(inputs: readonly GroupInput[]) {
    this.#inputs = inputs
  }

  cogroup<V>(
    stream: KGroupedStream<V, K>,
    add: (aggregate: A, value: NonNullable<V>, key: K) => A | null,
  ): CogroupedStream<A, K> {
    return new CogroupedStream([...this.#inputs, { step: stream.step, add }])
  }

  aggregate(init: () => A, { store }: Stored = {}): KTable<A, K> {
    const [first, ...others] = this.#inputs
    return new KTable(
      deriveStep(first!.step, {
        ...{ kind: 'cogroup', others: others.map(({ step }) => step), store },
        told: [init, ...this.#inputs.map(({ add }) => add)],
        flow: (parents, context) => {
          const inputs = this.#inputs.map(({ add }, i) => ({
            stream: streamOf(parents[i]),
            add: userCode<readonly Json[], Json>(add!, context.place),
          }))
          return aggregateStreams(inputs, context, userCode<[], Json>(init, context.place))
        },
      }),
    )
  }

  windowedBy(windows: Windows, options: WindowedBy = {}): WindowedStream<never, K> {
    return new WindowedStream(this.#inputs, windows, options)
  }
}
