import fc from 'fast-check'
import { test } from 'tap'
import type { NewRecord } from '../../src/core/record.ts'
import { Topology } from '../../src/streams/topology.ts'
import { defineView } from '../../src/streams/view.ts'
import { ViewTask } from '../../src/streams/view-task.ts'
import {
  changeKey,
  fold,
  insert,
  remove,
  run,
  type TestChange,
  TestLog,
  truncate,
  update,
} from './changes.ts'
import { MemoryTask } from './memory-task.ts'

const shop = {
  customers: 'shop.public.customers',
  products: 'shop.public.products',
  orders: 'shop.public.orders',
  items: 'shop.public.order_items',
} as const

type TableName = keyof typeof shop
type Customer = { id: number; n: number }
type Product = { id: number; n: number }
type Order = { id: number; ref: number | null; n: number }
type Item = { id: number; ref: number | null; product: number; n: number }
type Any = { id: number; ref: number | null; product: number; n: number }

const views = {
  orders: defineView(({ table }) => {
    const items = table<Item>(shop.items).leftJoin(table<Product>(shop.products), {
      on: (item) => item.product,
      select: (item, product) => ({ id: item.id, ref: item.ref, product: product?.n ?? null }),
    })
    return table<Order>(shop.orders)
      .leftJoin(table<Customer>(shop.customers), {
        on: (order) => order.ref,
        select: (order, customer) => ({
          id: order.id,
          n: order.n,
          customer: customer?.n ?? null,
        }),
      })
      .nest(items, { on: (item) => item.ref, as: 'items' })
  }),
  matched: defineView(({ table }) =>
    table<Order>(shop.orders)
      .filter((order) => order.n < 3)
      .join(table<Customer>(shop.customers), {
        on: (order) => order.ref,
        select: (order, customer) => ({ order: order.n, customer: customer.n }),
      }),
  ),
  // Which product an order points at follows from how many items it has.
  counted: defineView(({ table }) =>
    table<Order>(shop.orders)
      .nest(table<Item>(shop.items), { on: (item) => item.ref, as: 'items' })
      .leftJoin(table<Product>(shop.products), {
        on: (order) => order.items.length + 1,
        select: ({ items }, product) => ({ count: items.length, product: product?.n ?? null }),
      }),
  ),
  // A view over a view and two tables, one of them reached in two ways.
  customers: defineView(({ table, view }) =>
    table<Customer>(shop.customers)
      .nest(
        table<Order>(shop.orders).join(view<OrderView>('orders'), {
          on: (order) => order.id,
          select: ({ ref }, { n, items }) => ({ ref, n, items: items.length }),
        }),
        { on: (order) => order.ref, as: 'orders', orderBy: (order) => order.n },
      )
      .mapValues(({ id, n, orders }) => (n === 0 ? null : { id, n, orders })),
  ),
  // Groups of a join, beside rows of another table with the groups' keys.
  sold: defineView(({ table }) =>
    table<Item>(shop.items)
      .join(table<Order>(shop.orders), {
        on: (item) => item.ref,
        select: ({ product, n }, order) => ({ product, n: n + order.n }),
      })
      .groupBy(({ product, n }) => [{ id: product }, n])
      .aggregate<{ rows: number; sum: number }>({
        init: () => ({ rows: 0, sum: 0 }),
        add: ({ rows, sum }, n) => ({ rows: rows + 1, sum: sum + n }),
        subtract: ({ rows, sum }, n) => ({ rows: rows - 1, sum: sum - n }),
      })
      .outerJoin(table<Product, { id: number }>(shop.products), (sold, product) => ({
        sold: sold && { ...sold },
        n: product?.n ?? null,
      })),
  ),
}

type OrderView = { n: number; items: readonly unknown[] }
type Tables = { readonly [name in TableName]: ReadonlyMap<number, Any> }

/** The views as anyone would work them out from whole tables. */
function expected(tables: Tables) {
  const { customers, products, orders, items } = tables
  const byId = (a: Any, b: Any) => a.id - b.id
  const nested = (id: number) =>
    [...items.values()]
      .filter(({ ref }) => ref === id)
      .sort(byId)
      .map((item) => ({
        id: item.id,
        ref: item.ref,
        product: products.get(item.product)?.n ?? null,
      }))
  const found = (ref: number | null) => (ref === null ? undefined : customers.get(ref))
  const result = { orders: {}, matched: {}, counted: {}, customers: {} } as Record<
    keyof typeof views,
    Record<string, unknown>
  >
  result.sold = expectedSold(tables)
  for (const { id, n, ref } of orders.values()) {
    const key = `{"id":${id}}`
    const customer = found(ref)
    result.orders[key] = { id, n, customer: customer?.n ?? null, items: nested(id) }
    const count = nested(id).length
    result.counted[key] = { count, product: products.get(count + 1)?.n ?? null }
    if (customer && n < 3) result.matched[key] = { order: n, customer: customer.n }
  }
  for (const { id, n } of customers.values()) {
    if (n === 0) continue
    const own = [...orders.values()].filter(({ ref }) => ref === id).sort(byId)
    own.sort((a, b) => a.n - b.n)
    const list = own.map((order) => ({ ref: id, n: order.n, items: nested(order.id).length }))
    result.customers[`{"id":${id}}`] = { id, n, orders: list }
  }
  return result
}

/** What stands in the view `sold`: every product that was sold, and every one that there is. */
function expectedSold({ products, orders, items }: Tables): Record<string, unknown> {
  const sold = new Map<number, { rows: number; sum: number }>()
  for (const { ref, product, n } of items.values()) {
    const order = ref === null ? undefined : orders.get(ref)
    if (order === undefined) continue
    const { rows, sum } = sold.get(product) ?? { rows: 0, sum: 0 }
    sold.set(product, { rows: rows + 1, sum: sum + n + order.n })
  }
  const ids = new Set([...sold.keys(), ...products.keys()])
  return Object.fromEntries(
    [...ids].map((id) => [
      `{"id":${id}}`,
      { sold: sold.get(id) ?? null, n: products.get(id)?.n ?? null },
    ]),
  )
}

type Step =
  | { readonly kind: 'put'; readonly table: TableName; readonly row: Any }
  | { readonly kind: 'delete'; readonly table: TableName; readonly id: number }
  | { readonly kind: 'move'; readonly table: TableName; readonly id: number; readonly row: Any }
  | { readonly kind: 'truncate'; readonly table: TableName }

const id = fc.integer({ min: 1, max: 12 })
const tableName = fc.constantFrom<TableName>('customers', 'products', 'orders', 'items', 'items')
const row = fc.record({
  id,
  ref: fc.option(fc.integer({ min: 1, max: 13 }), { freq: 6 }),
  product: id,
  n: fc.integer({ min: 0, max: 4 }),
})
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 12, arbitrary: fc.record({ kind: fc.constant('put'), table: tableName, row }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('delete'), table: tableName, id }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('move'), table: tableName, id, row }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('truncate'), table: tableName }) },
) as fc.Arbitrary<Step>
const history = fc.array(fc.array(step, { minLength: 1, maxLength: 6 }), {
  minLength: 1,
  maxLength: 14,
})

/** A database in which steps happen; says what a source would have written. */
class Shop {
  readonly tables: Record<TableName, Map<number, Any>> = {
    customers: new Map(),
    products: new Map(),
    orders: new Map(),
    items: new Map(),
  }

  apply(step: Step): TestChange[] {
    const rows = this.tables[step.table]
    const topic = shop[step.table]
    if (step.kind === 'truncate') {
      rows.clear()
      return [truncate(topic)]
    }
    if (step.kind === 'put') {
      const isNew = !rows.has(step.row.id)
      rows.set(step.row.id, step.row)
      return [isNew ? insert(topic, step.row) : update(topic, step.row)]
    }
    if (!rows.has(step.id)) return []
    if (step.kind === 'delete') {
      rows.delete(step.id)
      return [remove(topic, step.id)]
    }
    if (rows.has(step.row.id)) return []
    rows.delete(step.id)
    rows.set(step.row.id, step.row)
    return changeKey(topic, step.id, step.row)
  }

  copy(): Tables {
    const { customers, products, orders, items } = this.tables
    return {
      customers: new Map(customers),
      products: new Map(products),
      orders: new Map(orders),
      items: new Map(items),
    }
  }
}

/** The log of a history, and after each of its commits the tables; by the commit's sequence. */
function played(commits: readonly (readonly Step[])[]) {
  const shopNow = new Shop()
  const log = new TestLog()
  const moments = new Map<bigint, Tables>()
  for (const steps of commits) {
    const changes = steps.flatMap((step) => shopNow.apply(step))
    if (changes.length === 0) continue
    log.commit(...changes)
    moments.set(log.records.at(-1)!.sequence, shopNow.copy())
  }
  return { log, moments }
}

function taskOver(task: MemoryTask, partBytes?: number): ViewTask {
  const topology = new Topology('shop', views)
  return new ViewTask({ topology, task, release: '1', ...(partBytes && { partBytes }) })
}

/** Every promise that a view's topic makes, checked commit by commit. */
function faults(records: readonly NewRecord[], moments: ReadonlyMap<bigint, Tables>): string[] {
  const found: string[] = []
  const versions = new Map<string, bigint>()
  const soFar: NewRecord[] = []
  let lastVersion = 0n
  for (const [sequence, tables] of moments) {
    const commit = records.filter(({ cause }) => cause === sequence)
    const told = new Set<string>()
    const before = fold(soFar)
    for (const [i, record] of commit.entries()) {
      const name = `${record.topic} ${record.key}`
      if (record.value === null) {
        if (commit[i - 1]?.key?.toString() !== record.key?.toString()) {
          found.push(`${name}: a tombstone without its delete`)
        }
        if (!before.get(record.topic)?.has(String(record.key))) {
          found.push(`${name}: a tombstone for what was never there`)
        }
      } else {
        if (told.has(name)) found.push(`${name}: told twice in commit ${sequence}`)
        told.add(name)
        if (record.version <= (versions.get(name) ?? -1n)) found.push(`${name}: version fell`)
        versions.set(name, record.version)
      }
      if (record.ordinal !== i) found.push(`${name}: ordinal ${record.ordinal}, not ${i}`)
      const isLast = !commit.slice(i + 1).some(({ topic }) => topic === record.topic)
      if (record.endsCommit !== isLast) found.push(`${name}: endsCommit is wrong`)
      if (record.version !== commit[0]!.version) found.push(`${name}: two versions in a commit`)
    }
    if (commit.length > 0 && commit[0]!.version <= lastVersion) found.push('version did not rise')
    lastVersion = commit[0]?.version ?? lastVersion
    soFar.push(...commit)
    compare(found, soFar, { tables, sequence })
  }
  if (soFar.length !== records.length) found.push('records without a cause')
  return found
}

function compare(
  found: string[],
  records: readonly NewRecord[],
  { tables, sequence }: { readonly tables: Tables; readonly sequence: bigint },
): void {
  const want = expected(tables)
  const have = fold(records)
  for (const view of Object.keys(views) as (keyof typeof views)[]) {
    const documents = Object.fromEntries(have.get(`shop.${view}`) ?? [])
    const [a, b] = [sorted(documents), sorted(want[view])]
    if (a !== b) found.push(`${view} after commit ${sequence}: ${a}, not ${b}`)
  }
}

function sorted(documents: Readonly<Record<string, unknown>>): string {
  return JSON.stringify(Object.entries(documents).sort(([a], [b]) => (a < b ? -1 : 1)))
}

test('after every commit the views are what the tables say, each change told once', async (t) => {
  await fc.assert(
    fc.asyncProperty(history, fc.infiniteStream(fc.boolean()), async (commits, coin) => {
      const { log, moments } = played(commits)
      const cuts = new Set(log.records.keys().filter(() => coin.next().value))
      const task = new MemoryTask()
      await run(taskOver(task), log, cuts)
      const found = faults(task.records, moments)
      if (found.length > 0) throw new Error(found.join('\n'))
    }),
    { numRuns: 400 },
  )
  t.pass('400 histories in batches cut anywhere')
})

test('restarts and crashes at any transaction lose nothing and tell nothing twice', async (t) => {
  let parts = 0
  await fc.assert(
    fc.asyncProperty(history, fc.infiniteStream(fc.nat(9)), async (commits, dice) => {
      const { log, moments } = played(commits)
      const cuts = new Set(log.records.keys().filter(() => dice.next().value < 5))
      const task = new MemoryTask()
      let crashes = 0
      task.crash = () => {
        if (crashes < 30 && dice.next().value < 3) throw new Crash(String(++crashes))
      }
      while (!(await survives(run(taskOver(task, 300), log, cuts)))) {
        /* Starts again, as a supervisor does. */
      }
      parts += task.transactions.filter(({ complete }) => !complete).length
      const found = faults(task.records, moments)
      if (found.length > 0) throw new Error(found.join('\n'))
    }),
    { numRuns: 400 },
  )
  t.ok(parts > 100, 'commits went out in parts')
})

class Crash extends Error {}

async function survives(run: Promise<void>): Promise<boolean> {
  try {
    await run
    return true
  } catch (error) {
    if (error instanceof Crash) return false
    throw error
  }
}
