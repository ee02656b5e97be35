import { defineTopology } from 'millrace'

interface Movement {
  readonly store: number
  readonly item: number
  readonly quantity: number
}

interface Stock {
  readonly count: number
}

/** What each store has of each item: what was shipped to it, less what it has sold. */
export const inventory = defineTopology(
  ({ table }) => {
    const sums = (topic: string) =>
      table<Movement>(topic)
        .groupBy(({ store, item, quantity }) => [{ store, item }, quantity])
        .reduce(
          (sum, quantity) => sum + quantity,
          (sum, quantity) => sum - quantity,
        )
    sums('db.public.shipments')
      .outerJoin(
        sums('db.public.sales'),
        (shipped, sold): Stock => ({ count: (shipped ?? 0) - (sold ?? 0) }),
        { store: 'inventory' },
      )
      .toStream()
      .to('retail.inventory')
  },
  {
    // On Kafka, two tasks share the stores and items, in as many processes.
    partitions: 2,
    routes: {
      '/stores/{store}/items/{item}/count': ({ store, item }, stores) => {
        const row = stores('inventory').get({ store: store!, item: item! })
        return (row as Stock | null)?.count ?? 0
      },
    },
  },
)
