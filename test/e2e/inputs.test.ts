import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { test } from 'tap'
import { cli, start } from '../launcher/child.ts'
import { customer, debeziumRecord, debeziumTombstone, unavailable } from '../log/kafka/debezium.ts'
import { ForeignClient } from '../log/kafka/foreign.ts'
import { useKafka } from '../support/servers/use.ts'
import { until } from './pipeline.ts'
import { inSqlite } from './targets.ts'

const configuration = `name: PREFIX
log: {type: kafka, brokers: BROKERS, path: data}
topics:
  PREFIX.customers: {input: {}}
  PREFIX.orders: {input: {key: string, key.name: id, holds: rows}}
views:
  overview:
    root: PREFIX.orders
    one: {customer: {table: PREFIX.customers, on: customer_id}}
sinks:
  overview: {type: sqlite, from: overview, path: shop.db, table: overview}
  customers: {type: sqlite, from: PREFIX.customers, path: shop.db, table: customers}
  journal: {type: file, from: PREFIX.orders, path: journal.ndjson}
`

for (const hasSchema of [true, false]) {
  const how = hasSchema ? 'with schemas' : 'without schemas'
  test(`a view and sinks follow topics that Debezium writes ${how}`, async (t) => {
    const { bootstrap, prefix } = await useKafka(t)
    const foreign = new ForeignClient(bootstrap)
    const [customers, orders] = [`${prefix}.customers`, `${prefix}.orders`]
    const change = (id: number, ...parts: Parameters<typeof debeziumRecord>[1][]) =>
      parts.map((part) => debeziumRecord(id, part, hasSchema))
    const order = (id: string, parts: object | null) => ({
      ...{ key: id, value: parts && JSON.stringify(parts) },
    })
    for (const topic of [customers, orders]) await foreign.createTopic(topic)
    await foreign.send(customers, [
      ...change(1, { op: 'r', after: customer(1) }),
      ...change(2, { op: 'r', after: customer(2) }),
      ...change(3, { op: 'c', after: customer(3) }),
    ])
    await foreign.send(orders, [
      order('a', { customer_id: 1, total: 5 }),
      order('b', { customer_id: 2, total: 7 }),
      order('c', { customer_id: 3, total: 9 }),
    ])
    const folder = t.testdir({
      'pipeline.yaml': configuration.replaceAll('PREFIX', prefix).replace('BROKERS', bootstrap),
    })
    const child = start(cli, ['run', 'pipeline.yaml'], { cwd: folder })
    t.teardown(() => child.kill('SIGKILL'))
    const stored = (table: string) => inSqlite(join(folder, 'shop.db'), table)
    const has = (table: string, count: number) => Object.keys(stored(table)).length === count
    await until(
      async () => has('overview', 3) && has('customers', 3),
      () => child.output(),
    )

    const hole = customer(1, { name: 'Ada', note: unavailable })
    await foreign.send(customers, [
      ...change(1, { op: 'u', before: null, after: hole }),
      ...change(3, { op: 'd', before: customer(3) }),
      debeziumTombstone(3, hasSchema),
    ])
    await foreign.send(orders, [order('b', null), order('c', { customer_id: 1, total: 10 })])
    const isDone = () => {
      const { a, c } = stored('overview') as Record<string, Overview>
      return a?.customer?.name === 'Ada' && c?.customer?.name === 'Ada' && has('customers', 2)
    }
    await until(
      async () => isDone(),
      () => JSON.stringify(stored('overview')) + child.output(),
    )
    const ada = { ...(hasSchema ? plain(1) : customer(1)), name: 'Ada' }
    t.same(stored('customers'), { 1: ada, 2: hasSchema ? plain(2) : customer(2) })
    t.same(stored('overview'), {
      a: { customer_id: 1, total: 5, customer: ada },
      c: { customer_id: 1, total: 10, customer: ada },
    })
    await sleep(200)
    const lines = readFileSync(join(folder, 'journal.ndjson'), 'utf8').trim().split('\n')
    t.equal(lines.length, 5)
    child.kill('SIGTERM')
    t.equal(await child.ended, 0, child.output())
  })
}

interface Overview {
  readonly customer: { readonly name: string } | null
}

/** The row as our own connector would have it. */
function plain(id: number): object {
  return {
    ...customer(id),
    ...{ total: '123.45', day: '2024-01-02', at: '2024-01-02T03:04:05.678' },
    doc: { a: [1.5, null] },
  }
}
