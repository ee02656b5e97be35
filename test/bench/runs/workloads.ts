import type { Json, Row } from '../../../src/core/json.ts'
import type { NewRecord } from '../../../src/core/record.ts'
import { defineTopology, type TopologyDefinition } from '../../../src/streams/stream-topology.ts'
import { tumbling } from '../../../src/streams/windows.ts'

/** A topic's records, which are written before those of the next. */
export interface Input {
  readonly topic: string
  readonly count: number
  readonly row: (i: number) => Row
}

/** What a topology is given, and what it makes of it. */
export interface Workload {
  readonly inputs: readonly Input[]
  readonly definition: (output: string) => TopologyDefinition
}

interface Order {
  readonly customer_id: number
}

const minuteMs = 60_000

/** By name; `scale` is a factor on the number of records. */
export const workloads: Readonly<Record<string, (scale: number) => Workload>> = {
  'join-fk': joinByForeignKey,
  'join-table': joinTables,
  'count-window': countWindows,
  count: count,
}

/** 500,000 orders, each of one of 50,000 customers. */
function joinByForeignKey(scale: number): Workload {
  const [orders, customers] = [Math.round(500_000 * scale), Math.round(50_000 * scale)]
  return {
    inputs: [
      { topic: 'db.customers', count: customers, row: customerRow },
      { topic: 'db.orders', count: orders, row: (i) => orderRow(i, (i * 7919) % customers) },
    ],
    definition: (output) =>
      defineTopology(({ table }) => {
        table<Order>('db.orders')
          .join(table<{ name: string }>('db.customers'), {
            on: ({ customer_id }) => customer_id,
            select: (order, { name }) => ({ ...order, customer: name }),
          })
          .toStream()
          .to(output, { key: 'id' })
      }),
  }
}

/** 500,000 rows on either side; those of the right side come in another order, after the left. */
function joinTables(scale: number): Workload {
  const count = Math.round(500_000 * scale)
  return {
    inputs: [
      { topic: 'db.orders', count, row: (i) => orderRow(i, i) },
      { topic: 'db.payments', count, row: (i) => paymentRow((i * 7919) % count) },
    ],
    definition: (output) =>
      defineTopology(({ table }) => {
        table<Order>('db.orders')
          .join(table<{ method: string }>('db.payments'), (order, { method }) => ({
            ...order,
            method,
          }))
          .toStream()
          .to(output, { key: 'id' })
      }),
  }
}

/** A million events of 10,000 users, one a millisecond: 17 minutes. */
function countWindows(scale: number): Workload {
  const count = Math.round(1_000_000 * scale)
  return {
    inputs: [{ topic: 'db.events', count, row: (i) => eventRow((i * 7919) % 10_000) }],
    definition: (output) =>
      defineTopology(({ stream }) => {
        stream<{ page: string }>('db.events')
          .groupByKey()
          .windowedBy(tumbling({ sizeMs: minuteMs }))
          .count()
          .toStream()
          .to(output)
      }),
  }
}

/** Two million users with an event each. */
function count(scale: number): Workload {
  const users = Math.round(2_000_000 * scale)
  return {
    inputs: [{ topic: 'db.events', count: users, row: eventRow }],
    definition: (output) =>
      defineTopology(({ stream }) => {
        stream<{ page: string }>('db.events')
          .groupByKey()
          .count({ store: 'counts' })
          .toStream()
          .to(output)
      }),
  }
}

/** Records as a connector writes them, ten a commit, one a millisecond. */
export function recordOf({ topic, row }: Input, i: number): NewRecord {
  const [schema, table] = topic.split('.') as [string, string]
  const after = row(i)
  const source = { connector: 'postgresql', name: schema, schema: 'public', table, lsn: i, txId: i }
  const timestamp = i
  const envelope = { before: null, after, source: { ...source, ts_ms: i }, op: 'c', ts_ms: i }
  return {
    ...{ topic, timestamp, version: BigInt(Math.floor(i / perCommit) + 1) },
    ...{ ordinal: i % perCommit, endsCommit: i % perCommit === perCommit - 1 },
    key: Buffer.from(`{"id":${(after as { readonly id: Json }).id}}`),
    value: Buffer.from(JSON.stringify(envelope)),
  }
}

export const perCommit = 10

function customerRow(id: number): Row {
  return { id, name: `customer ${id}`, city: `city ${id % 100}` }
}

function orderRow(id: number, customer: number): Row {
  return { id, customer_id: customer, status: 'new', total: '12.50', note: `n ${id}` }
}

function paymentRow(id: number): Row {
  return { id, method: 'card', amount: '12.50', reference: `ref ${id}` }
}

function eventRow(user: number): Row {
  return { id: user, page: `/products/${user % 977}`, referrer: '/search', device: 'phone' }
}
