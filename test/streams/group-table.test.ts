import fc from 'fast-check'
import { test } from 'tap'
import { defineView } from '../../src/streams/view.ts'
import { insert, remove, update } from './changes.ts'
import { told, ViewRun } from './view-run.ts'

type Item = { id: number; order: number; price: number }

const totals = defineView(({ table }) =>
  table<Item>('items')
    .groupBy(({ order, price }) => [order, price])
    .aggregate<{ n: number; sum: number }>({
      init: () => ({ n: 0, sum: 0 }),
      add: ({ n, sum }, price) => ({ n: n + 1, sum: sum + price }),
      subtract: ({ n, sum }, price) => ({ n: n - 1, sum: sum - price }),
    }),
)

test('a commit is told once per group, by its net effect', async (t) => {
  const run = new ViewRun({ totals })
  const first = await run.commit(
    insert('items', { id: 1, order: 7, price: 5 }),
    insert('items', { id: 2, order: 7, price: 6 }),
  )
  t.strictSame(told(first), ['c {"key":7} {"n":2,"sum":11}'])
  const moved = await run.commit(
    update('items', { id: 1, order: 8, price: 5 }),
    insert('items', { id: 3, order: 7, price: 5 }),
  )
  t.strictSame(told(moved), ['c {"key":8} {"n":1,"sum":5}'])
})

test('a group without rows leaves the view', async (t) => {
  const run = new ViewRun({ totals })
  await run.commit(insert('items', { id: 1, order: 7, price: 5 }))
  t.strictSame(told(await run.commit(remove('items', 1))), ['d {"key":7}', 'tombstone {"key":7}'])
})

test('rows without a group, or without a value, count in none', async (t) => {
  const some = defineView(({ table }) =>
    table<Item>('items')
      .groupBy(({ order, price }) => [order === 0 ? null : { a: order, b: 'x' }, price || null])
      .reduce(
        (a, b) => a + b,
        (a, b) => a - b,
      )
      .mapValues((sum, key) => ({ sum, of: key.a })),
  )
  const run = new ViewRun({ some })
  const records = await run.commit(
    insert('items', { id: 1, order: 0, price: 5 }),
    insert('items', { id: 2, order: 3, price: 0 }),
    insert('items', { id: 3, order: 3, price: 4 }),
  )
  t.strictSame(told(records), ['c {"a":3,"b":"x"} {"sum":4,"of":3}'])
})

const change = fc.record({
  id: fc.integer({ min: 1, max: 5 }),
  order: fc.integer({ min: 1, max: 3 }),
  price: fc.integer({ min: 1, max: 9 }),
  isDelete: fc.boolean(),
})

test('after every commit the groups are those of the rows', async (t) => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.array(change, { minLength: 1, maxLength: 4 })),
      async (commits) => {
        const run = new ViewRun({ totals })
        const rows = new Map<number, Item>()
        for (const changes of commits) {
          const written = changes.flatMap(({ isDelete, ...row }) => {
            if (isDelete && !rows.delete(row.id)) return []
            if (isDelete) return [remove('items', row.id)]
            rows.set(row.id, row)
            return [update('items', row)]
          })
          if (written.length > 0) await run.commit(...written)
          const groups = Object.groupBy(rows.values(), ({ order }) => order)
          const wanted = Object.entries(groups).map(([order, items]) => {
            const sum = items!.reduce((all, { price }) => all + price, 0)
            return [`{"key":${order}}`, { n: items!.length, sum }]
          })
          t.strictSame(run.documents('totals'), Object.fromEntries(wanted))
        }
      },
    ),
    { numRuns: 30 },
  )
})
