import type { Json } from '../core/json.ts'
import type { KTable } from './ktable.ts'

/** What a view can be made of. */
export interface ViewScope {
  /** A topic as a table. `V` and `K` declare what rows and keys look like; nothing checks it. */
  table<V extends object, K = Json>(topic: string): KTable<V, K>
  /** Another view of the pipeline, as of the same commit. */
  view<V extends object, K = Json>(name: string): KTable<V, K>
}

/** Describes a view: from the tables it reads to the table it is. */
export interface ViewDefinition<V extends object = object> {
  readonly define: (scope: ViewScope) => KTable<V>
}

/** For modules of views: `export const orders = defineView(({ table }) => table<Order>(…)…)`. */
export function defineView<V extends object>(
  define: (scope: ViewScope) => KTable<V>,
): ViewDefinition<V> {
  return { define }
}

/** A topic as it is, one change a key and commit, with every column filled. */
export function tableView(topic: string): ViewDefinition {
  return defineView(({ table }) => table(topic))
}
