import type { KTable } from './ktable.ts'

/** What a view can be made of. */
export interface ViewScope {
  /** A topic as a table. `V` declares what its rows look like; nothing checks it. */
  table<V extends object>(topic: string): KTable<V>
  /** Another view of the pipeline, as of the same commit. */
  view<V extends object>(name: string): KTable<V>
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
