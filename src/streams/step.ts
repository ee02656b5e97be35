import type { Flow, FlowContext } from './flow/flow.ts'
import type { Node } from './node.ts'
import type { PairSpace } from './space.ts'
import type { OrderedSpace } from './stores/ordered-space.ts'
import type { Place } from './user-function.ts'

/** One table or stream of a topology before it runs: how to make it of its parents. */
export interface Step {
  /** How it came about: `orders.join(customers)`. */
  readonly name: string
  readonly parents: readonly Step[]
  /** Hash of what the user said about it: the texts of the functions. */
  readonly definition: string
  /** At work on whole commits, as views are. */
  readonly open: (parents: readonly Node[], context: StepContext) => Node
  /** At work record by record. */
  readonly flow?: (parents: readonly Flow[], context: FlowContext) => Flow
  /** The name that the user gave its store. */
  readonly store?: string | undefined
  /** The topic that it writes, if that does not depend on the record. */
  readonly output?: string | undefined
  /** Where the steps of a topology are listed in the order of their definition. */
  readonly listed?: Step[] | undefined
}

export interface StepContext {
  readonly place: Place
  /** The step's own index, kept between commits. */
  readonly pairs: () => PairSpace
  /** State of its own; `part` tells several apart. */
  readonly ordered: (part: string) => OrderedSpace
}
