import type { Json } from '../core/json.ts'
import { deriveStep } from './derive-step.ts'
import { tableOf } from './flow/kinds.ts'
import { aggregateTable, type Regroup } from './flow/table-group.ts'
import { type UserCode, userCode } from './flow/user-code.ts'
import { type GroupFunctions, GroupTable } from './group-table.ts'
import { KTable, type Stored } from './ktable.ts'
import type { Step } from './step.ts'

/** How rows are put into an aggregate and taken out of it again. */
export interface TableAggregating<V, K, A> extends Stored {
  readonly init: () => A
  readonly add: (aggregate: A, value: V, key: K) => A | null
  /** Undoes `add`. Null deletes the group. */
  readonly subtract: (aggregate: A, value: V, key: K) => A | null
}

/** A table by groups of its rows. */
export class KGroupedTable<V, K> {
  readonly #step: Step
  readonly #regroup: UserCode

  constructor(step: Step, regroup: UserCode) {
    this.#step = step
    this.#regroup = regroup
  }

  count({ store }: Stored = {}): KTable<number, K> {
    const add = (count: number) => count + 1
    const subtract = (count: number) => count - 1
    return this.#aggregate('count', { init: () => 0, add, subtract, store })
  }

  /** The first row of a group is its aggregate. */
  reduce(
    add: (aggregate: V, value: V, key: K) => V | null,
    subtract: (aggregate: V, value: V, key: K) => V | null,
    { store }: Stored = {},
  ): KTable<V, K> {
    return this.#aggregate('reduce', { init: null, add, subtract, store })
  }

  aggregate<A>({ init, add, subtract, store }: TableAggregating<V, K, A>): KTable<A, K> {
    return this.#aggregate('aggregate', { init, add, subtract, store })
  }

  #aggregate<A>(
    kind: string,
    { init, add, subtract, store }: Told & { readonly store: string | undefined },
  ): KTable<A, K> {
    const regroup = this.#regroup
    return new KTable(
      deriveStep(this.#step, {
        ...{ kind: `groupBy.${kind}`, store, told: [regroup, init, add, subtract] },
        open: ([parent], { place, ordered }) => {
          const functions = { regroup, init, add, subtract } as unknown as GroupFunctions
          return new GroupTable(parent!, functions, ordered, place)
        },
        flow: ([parent], context) => {
          const { place } = context
          const call = (code: UserCode) => userCode<readonly Json[], Json>(code, place)
          const grouped = userCode<readonly Json[], ReturnType<Regroup>>(regroup, place)
          return aggregateTable(tableOf(parent), context, grouped, {
            init: init === null ? null : call(init),
            ...{ add: call(add), subtract: call(subtract) },
          })
        },
      }),
    )
  }
}

interface Told {
  readonly init: UserCode | null
  readonly add: UserCode
  readonly subtract: UserCode
}
