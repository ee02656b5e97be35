import fc from 'fast-check'
import { test } from 'tap'
import type { LogRecord, NewRecord } from '../../src/core/record.ts'
import type { Position } from '../../src/core/source.ts'
import { partitionOf } from '../../src/log/kafka/partitioner.ts'
import { hopsTopic } from '../../src/streams/hops.ts'
import { StreamTask } from '../../src/streams/stream-task.ts'
import {
  defineTopology,
  type StreamScope,
  StreamTopology,
} from '../../src/streams/stream-topology.ts'
import { tumbling } from '../../src/streams/windows.ts'
import { fold, insert, remove, run, TestLog, truncate, update } from './changes.ts'
import { MemoryTask } from './memory-task.ts'

interface Order {
  readonly id: number
  readonly customer: number
  readonly total: number
}

interface Name {
  readonly name: string
}

/** Operators whose result at the end does not depend on the order in which tasks get their turn. */
function build({ table, stream, globalTable }: StreamScope): void {
  const orders = table<Order, number>('orders')
  const customers = table<Name, number>('customers')
  const byCustomer = { on: ({ customer }: Order) => customer }
  const named = orders.join(customers, {
    ...byCustomer,
    select: ({ id }, { name }) => ({ id, name }),
  })
  named.toStream().to('named', { key: 'id' })
  orders
    .leftJoin(customers, {
      ...byCustomer,
      select: ({ total }, row) => ({ total, of: row?.name ?? '' }),
    })
    .toStream()
    .to('left', { key: 'id' })
  const sums = orders
    .groupBy(({ customer, total }) => [customer, total])
    .aggregate({
      init: () => ({ count: 0, sum: 0 }),
      add: ({ count, sum }, total) => ({ count: count + 1, sum: sum + total }),
      subtract: ({ count, sum }, total) => ({ count: count - 1, sum: sum - total }),
    })
    .filter(({ count }) => count > 0)
  sums
    .outerJoin(customers, (sum, row) => ({ sum: sum?.sum ?? 0, name: row?.name ?? '' }))
    .toStream()
    .to('outer')
  named
    .groupBy(({ name, id }) => [name, id])
    .count()
    .filter((count) => count > 0) // Whether a group was ever told depends on the order.
    .toStream()
    .to('names')
  // The key has another column than that of the orders.
  orders
    .leftJoin(table<{ text: string }, number>('notes'), ({ id }, note) => [id, note?.text ?? ''])
    .toStream()
    .to('noted')
  const clicks = stream<{ page: number }, number>('clicks')
  clicks
    .groupBy(({ page }) => page)
    .windowedBy(tumbling({ sizeMs: 5, graceMs: 1e9 }))
    .count()
    .toStream()
    .to('windows')
  clicks
    .joinGlobal(
      globalTable<Name, number>('pages'),
      ({ page }) => page,
      ({ page }, { name }) => [page, name],
    )
    .selectKey(([page]) => page!)
    .groupByKey()
    .count()
    .toStream()
    .to('global')
}

type Change = readonly [kind: number, id: number, value: number]

function write(log: TestLog, [kind, id, value]: Change): void {
  if (kind === 0) log.commit(insert('orders', { id, customer: value, total: value + 1 }))
  else if (kind === 1) log.commit(update('orders', { id, customer: value, total: id }))
  else if (kind === 2) log.commit(remove('orders', id))
  else if (kind === 3) log.commit(insert('customers', { id: value, name: `n${id % 3}` }))
  else if (kind === 4) log.commit(remove('customers', value))
  else if (kind === 5) log.commit(insert('notes', { order: id, text: `t${value}` }, { order: id }))
  else if (kind === 6) log.commit(insert('clicks', { id: value * 100 + id, page: id % 4 }))
  else log.commit(truncate('notes'))
}

const pages = [0, 1, 2, 3].map((id) => insert('pages', { id, name: `p${id}` }))

function taskOf(task: MemoryTask, tasks: number, part?: number): StreamTask {
  const topology = new StreamTopology('shop', defineTopology(build, { partitions: tasks }))
  return new StreamTask({ topology, pipeline: 'p', task, part, release: '1', now: () => 0 })
}

/** Tasks that share the keys, and get their turns as `turns` says. */
async function runApart(log: TestLog, tasks: number, turns: readonly number[]) {
  const lanes = Array.from({ length: tasks }, (): LogRecord[] => [])
  for (const record of log.records) {
    const { key, topic } = record
    const isForAll = topic === 'pages' || key === null // A truncate is in every partition.
    const readers = isForAll ? lanes.keys() : [partitionOf(key!, tasks)]
    for (const reader of readers) lanes[reader]!.push(record)
  }
  const stores = lanes.map(() => new MemoryTask())
  const running = stores.map((store, part) => taskOf(store, tasks, part))
  for (const task of running) await task.resume('test')
  const told: NewRecord[] = []
  const offsets = lanes.map(() => 0n)
  let sequence = 1_000_000n
  for (let turn = 0; lanes.some(({ length }) => length > 0); turn++) {
    const waiting = [...lanes.keys()].filter((part) => lanes[part]!.length > 0)
    const part = waiting[turns[turn % turns.length]! % waiting.length]!
    const records = lanes[part]!.splice(0, 3)
    const position = String(turn) as Position
    await running[part]!.write({ records, position, complete: true })
    await running[part]!.commit({ source: 'test', position, timestamp: 0 })
    for (const record of stores[part]!.transactions.at(-1)!.records) {
      if (!record.topic.endsWith('.repartition')) {
        told.push(record)
        continue
      }
      const isForAll = record.key === null && record.value !== null
      const readers = isForAll ? lanes.keys() : [record.key ? partitionOf(record.key, tasks) : 0]
      for (const partition of readers) {
        const offset = offsets[partition]!++
        lanes[partition]!.push({ ...record, partition, offset, sequence: sequence++ })
      }
    }
  }
  return told
}

test('one of several tasks does not begin anew alone', async (t) => {
  const store = new MemoryTask()
  const topology = new StreamTopology('shop', defineTopology(build, { partitions: 2 }))
  store.position = JSON.stringify({ topics: { [hopsTopic('p', topology)]: ['', 7] } }) as Position
  await t.rejects(taskOf(store, 2, 0).resume('test'), { code: 'TASKS_APART' })
  t.throws(() => new StreamTopology('shop', defineTopology(build, { partitions: 0 })), {
    code: 'CONFIG_INVALID',
  })
})

test('tasks that share the keys come to what one task comes to', async (t) => {
  const change = fc.tuple(
    fc.integer({ min: 0, max: 7 }),
    fc.integer({ min: 1, max: 6 }),
    fc.integer({ min: 1, max: 4 }),
  )
  const turns = fc.array(fc.nat(4), { minLength: 1, maxLength: 20 })
  const changes = fc.array(change, { maxLength: 60 })
  const tasks = fc.integer({ min: 2, max: 4 })
  await fc.assert(
    fc.asyncProperty(changes, turns, tasks, async (changes, turns, tasks) => {
      const log = new TestLog()
      log.commit(...pages)
      for (const each of changes) write(log, each)
      const alone = new MemoryTask()
      await run(taskOf(alone, 1), log)
      const wanted = sorted(fold(alone.records))
      t.strictSame(sorted(fold(await runApart(log, tasks, turns))), wanted)
    }),
    { numRuns: 100 },
  )
})

/** Without topics of which nothing is left. */
function sorted(topics: ReadonlyMap<string, ReadonlyMap<string, unknown>>) {
  const filled = [...topics].filter(([, documents]) => documents.size > 0)
  const rows = filled.map(([topic, documents]) => [topic, [...documents].sort()] as const)
  return rows.sort(([a], [b]) => (a < b ? -1 : 1))
}
