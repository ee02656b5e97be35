import type { Node } from './node.ts'
import type { PairSpace } from './space.ts'
import type { Place } from './user-function.ts'

/** One table of a topology before it runs: how to make it of its parents. */
export interface Step {
  /** How the table came about: `orders.join(customers)`. */
  readonly name: string
  readonly parents: readonly Step[]
  /** Hash of what the user said about it: the texts of the functions. */
  readonly definition: string
  readonly open: (parents: readonly Node[], context: StepContext) => Node
}

export interface StepContext {
  readonly place: Place
  /** The step's own index, kept between commits. */
  readonly pairs: () => PairSpace
}
