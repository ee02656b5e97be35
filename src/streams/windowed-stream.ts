import { MillraceError } from '../core/errors.ts'
import type { Json } from '../core/json.ts'
import type { GroupInput } from './cogrouped-stream.ts'
import { deriveStep } from './derive-step.ts'
import type { FlowContext, TableFlow } from './flow/flow.ts'
import { streamOf } from './flow/kinds.ts'
import { aggregateSessions } from './flow/session-window-aggregate.ts'
import { aggregateSlidingWindows } from './flow/sliding-window-aggregate.ts'
import type { AggregateInput } from './flow/stream-aggregate.ts'
import { aggregateTimeWindows } from './flow/time-window-aggregate.ts'
import { type UserCode, userCode } from './flow/user-code.ts'
import type { WindowedBy } from './kgrouped-stream.ts'
import { KTable, type Stored } from './ktable.ts'
import type { Windowed, Windows } from './windows.ts'

const dayMs = 86_400_000

/** How values become a window's aggregate. */
export interface WindowAggregating<V, K, A> extends Stored {
  readonly init: () => A
  /** The aggregate with one more value in it; null deletes it. */
  readonly add?: (aggregate: A, value: V, key: K) => A | null
  /** Joins the aggregates of two sessions, the older one first. Sessions need it. */
  readonly merge?: (aggregate: A, other: A, key: K) => A | null
}

interface Told {
  readonly init: UserCode | null
  readonly add: UserCode | undefined
  readonly merge: UserCode | undefined
  readonly store: string | undefined
}

/** A grouped stream by its keys and windows of time. */
export class WindowedStream<V, K> {
  readonly #inputs: readonly GroupInput[]
  readonly #windows: Windows
  readonly #options: WindowedBy

  constructor(inputs: readonly GroupInput[], windows: Windows, options: WindowedBy) {
    this.#inputs = inputs
    this.#windows = windows
    this.#options = options
  }

  count({ store }: Stored = {}): KTable<number, Windowed<K>> {
    const add = (count: number) => count + 1
    const merge = (a: number, b: number) => a + b
    return this.#aggregate('count', { init: () => 0, add, merge, store })
  }

  /** The first value is the aggregate; each further one, or other session, is taken into it. */
  reduce(
    add: (aggregate: V, value: V, key: K) => V | null,
    { store }: Stored = {},
  ): KTable<V, Windowed<K>> {
    return this.#aggregate('reduce', { init: null, add, merge: add, store })
  }

  aggregate<A>({ init, add, merge, store }: WindowAggregating<V, K, A>): KTable<A, Windowed<K>> {
    return this.#aggregate('aggregate', { init, add, merge, store })
  }

  #aggregate<A>(kind: string, { init, add, merge, store }: Told): KTable<A, Windowed<K>> {
    const [first, ...others] = this.#inputs
    const codes = this.#inputs.map((input) => input.add ?? add)
    if (codes.includes(undefined)) throw missing(kind, 'add')
    if (this.#windows.type === 'session' && merge === undefined) throw missing(kind, 'merge')
    const step = deriveStep(first!.step, {
      ...{ kind: `windowed.${kind}`, others: others.map((input) => input.step), store },
      told: [init, ...codes, merge, this.#windows, this.#options],
      flow: (parents, context) => {
        const inputs = codes.map((code, i) => ({
          stream: streamOf(parents[i]),
          add: userCode<readonly Json[], Json>(code!, context.place),
        }))
        return this.#flow(inputs, context, { init, add, merge, store })
      },
    })
    return new KTable(step, this.#windows)
  }

  #flow(inputs: readonly AggregateInput[], context: FlowContext, told: Told): TableFlow {
    const windows = this.#windows
    const { emit = 'update', retentionMs = dayMs } = this.#options
    const init = told.init === null ? null : userCode<[], Json>(told.init, context.place)
    if (windows.type === 'session') {
      const merge = userCode<readonly Json[], Json>(told.merge!, context.place)
      return aggregateSessions(inputs, context, { windows, init, merge, emit })
    }
    const lengthMs = windows.type === 'time' ? windows.sizeMs : 2 * windows.differenceMs
    const leastMs = lengthMs + windows.graceMs
    const windowing = { init, emit, retentionMs: Math.max(leastMs, retentionMs) }
    return windows.type === 'time'
      ? aggregateTimeWindows(inputs, context, { windows, ...windowing })
      : aggregateSlidingWindows(inputs, context, { windows, ...windowing })
  }
}

function missing(kind: string, name: string): MillraceError {
  return new MillraceError('CONFIG_INVALID', `A windowed ${kind} needs the function ${name}.`)
}
