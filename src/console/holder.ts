import type { Json } from '../core/json.ts'
import type { Queryable } from '../core/queryable.ts'

/** State that one of several instances answers for, partition by partition. */
export interface Holder<T> {
  readonly partitions: number
  partitionOf(key: Json): number
  /** What this instance has of a partition. */
  held(partition: number): Held<T> | undefined
  /** Where other instances answer for it. */
  others(partition: number): Others
  /** Resolves once it has seen all commits up to a version; false if `signal` aborts first. */
  reached(version: bigint, partition: number, signal: AbortSignal): Promise<boolean>
}

export interface Held<T> {
  readonly state: T
  /** Of a copy, how long ago it was as its owner's, in ms; undefined: this instance owns it. */
  readonly ageMs: number | undefined
}

export interface Others {
  readonly owner: string | undefined
  readonly standbys: readonly string[]
}

/** Looks up a store of a topology. */
export type StoreOf = (name: string) => Queryable | undefined

/** A route of the user's, and the state that it looks at. */
export interface Routed {
  readonly holder: Holder<StoreOf>
  /** The answer; undefined if there is none. */
  run(store: StoreOf): { readonly value: Json } | undefined
}
