import fc from 'fast-check'
import { test } from 'tap'
import type { Json } from '../../src/core/json.ts'
import type { NewRecord } from '../../src/core/record.ts'
import { StreamTask } from '../../src/streams/stream-task.ts'
import {
  defineTopology,
  StreamTopology,
  type TopologyDefinition,
} from '../../src/streams/stream-topology.ts'
import { changeKey, insert, remove, run, TestLog, truncate, update } from './changes.ts'
import { MemoryTask } from './memory-task.ts'

interface Order {
  readonly id: number
  readonly customer: number
  readonly total: number
}

/** Orders with their customer's name, and what each customer's orders come to. */
const shop = defineTopology(({ table, stream }) => {
  const clicks = stream<{ page: number }, number>('clicks')
  clicks.to('clicked', { key: 'id' })
  clicks
    .groupBy(({ page }) => page)
    .count()
    .toStream()
    .to('counts')
  const customers = table<{ name: string }, number>('customers')
  const orders = table<Order, number>('orders', { store: 'orders' })
  orders
    .join(customers, {
      on: ({ customer }) => customer,
      select: ({ id }, { name }) => ({ id, name }),
    })
    .toStream()
    .to('named', { key: 'id' })
  orders
    .groupBy(({ customer, total }) => [customer, total])
    .reduce(
      (sum, total) => sum + total,
      (sum, total) => sum - total,
    )
    .toStream()
    .to('sums')
})

function taskOf(definition: TopologyDefinition, task: MemoryTask, partBytes?: number): StreamTask {
  const topology = new StreamTopology('shop', definition)
  const options = partBytes === undefined ? {} : { partBytes }
  return new StreamTask({ topology, pipeline: 'p', task, release: '1', now: () => 0, ...options })
}

/** `topic key value`, a tombstone as `null`. */
function told(records: readonly NewRecord[]): string[] {
  return records.map(({ topic, key, value }) => {
    const after = value === null ? null : (JSON.parse(String(value)) as { after: Json }).after
    return `${topic} ${key} ${JSON.stringify(after)}`
  })
}

const customer = (id: number, name: string) => insert('customers', { id, name })
const order = (id: number, by: number, total: number) =>
  insert('orders', { id, customer: by, total })

test('a commit is told once per key, with its net effect', async (t) => {
  const [log, task] = [new TestLog(), new MemoryTask()]
  log.commit(customer(1, 'Ada'), order(1, 1, 5), order(2, 1, 7))
  log.commit(update('orders', { id: 1, customer: 2, total: 5 }))
  log.commit(
    update('orders', { id: 2, customer: 2, total: 7 }),
    order(3, 2, 1),
    remove('orders', 3),
  )
  await run(taskOf(shop, task), log)
  t.strictSame(told(task.records), [
    'named {"id":1} {"id":1,"name":"Ada"}',
    'named {"id":2} {"id":2,"name":"Ada"}',
    'sums {"key":1} 12',
    'named {"id":1} null',
    'sums {"key":1} 7',
    'sums {"key":2} 5',
    'named {"id":2} null',
    'sums {"key":1} 0',
    'sums {"key":2} 12',
  ])
  const versions = task.records.map(({ version }) => version)
  t.strictSame(versions.slice(0, 3), [1010n, 1010n, 1010n])
  t.strictSame(new Set(versions).size, 3)
  t.strictSame(
    task.records.map(({ endsCommit }) => endsCommit),
    [false, true, true, true, false, true, true, false, true],
  )
})

test('with `emit: record` every step is told', async (t) => {
  const [log, task] = [new TestLog(), new MemoryTask()]
  const sums = defineTopology(
    ({ table }) => {
      table<Order>('orders')
        .groupBy(({ customer, total }) => [customer, total])
        .reduce(
          (sum, total) => sum + total,
          (sum, total) => sum - total,
        )
        .toStream()
        .to('sums')
    },
    { emit: 'record' },
  )
  log.commit(order(1, 1, 5), order(2, 1, 7))
  await run(taskOf(sums, task), log)
  t.strictSame(told(task.records), ['sums {"key":1} 5', 'sums {"key":1} 12'])
})

test('holes are filled, a truncate deletes each row, and a changed key is followed', async (t) => {
  const [log, task] = [new TestLog(), new MemoryTask()]
  const copy = defineTopology(({ table }) => {
    table<Order, number>('orders').toStream().to('copy', { key: 'id' })
  })
  log.commit(insert('orders', { id: 1, note: 'long' }))
  log.commit({
    ...update('orders', { id: 1, total: 2 }),
    headers: { 'millrace.unchanged': '["note"]' },
  })
  log.commit(...changeKey('orders', 1, { id: 2, note: 'short' }))
  log.commit(truncate('orders'))
  await run(taskOf(copy, task), log)
  t.match(told(task.records), [
    'copy {"id":1} {"id":1,"note":"long"}',
    /"note":"long"/,
    'copy {"id":1} null',
    'copy {"id":2} {"id":2,"note":"short"}',
    'copy {"id":2} null',
  ])
})

test('a stream sees a delete once, and no truncate', async (t) => {
  const [log, task] = [new TestLog(), new MemoryTask()]
  const pass = defineTopology(({ stream }) => stream('orders').to('passed', { key: 'id' }))
  log.commit(order(1, 1, 5), remove('orders', 1), truncate('orders'))
  await run(taskOf(pass, task), log)
  t.strictSame(told(task.records), [
    'passed {"id":1} {"id":1,"customer":1,"total":5}',
    'passed {"id":1} null',
  ])
})

for (const onError of ['fail', 'skip', 'deadLetter'] as const) {
  test(`code that throws: ${onError}`, async (t) => {
    const [log, task] = [new TestLog(), new MemoryTask()]
    const picky = defineTopology(
      ({ stream }) => {
        const orders = stream<Order>('orders')
        orders
          .mapValues(({ total }) => {
            if (total > 5) throw new Error('too much')
            return total
          })
          .to('totals')
        orders.to('all')
      },
      { onError },
    )
    log.commit(order(1, 1, 5), order(2, 1, 7))
    const running = taskOf(picky, task)
    await running.resume('test')
    const [batch] = log.batches(0)
    if (onError === 'fail') {
      await t.rejects(running.write(batch!), { code: 'VIEW_FAILED', message: /too much/ })
      return
    }
    const [, outcome] = await running.write(batch!)
    await running.commit({ source: 'test', position: batch!.position, timestamp: 0 })
    if (onError === 'skip') t.equal(outcome, 'filtered')
    else t.match(outcome, { code: 'user_code', reason: /too much/ })
    t.equal(told(task.records).filter((line) => line.startsWith('totals')).length, 1)
    t.equal(told(task.records).filter((line) => line.startsWith('all')).length, 2)
  })
}

test('another definition begins anew from the log; the same one goes on', async (t) => {
  const [log, task] = [new TestLog(), new MemoryTask()]
  const times = (factor: number) =>
    defineTopology(({ stream }) => {
      const orders = stream<Order>('orders')
      if (factor === 2) orders.mapValues(({ total }) => total * 2).to('totals')
      else orders.mapValues(({ total }) => total).to('totals')
    })
  log.commit(order(1, 1, 5))
  await run(taskOf(times(1), task), log)
  await run(taskOf(times(1), task), log)
  t.equal(task.records.length, 1)
  await run(taskOf(times(2), task), log)
  t.strictSame(told(task.records), ['totals {"key":1} 5', 'totals {"key":1} 10'])
  t.ok(task.records[1]!.version > task.records[0]!.version)
})

const change = fc.oneof(
  fc
    .record({ id: fc.nat(4), name: fc.constantFrom('a', 'b') })
    .map((row) => insert('customers', row)),
  fc.nat(4).map((id) => remove('customers', id)),
  fc
    .record({ id: fc.nat(5), customer: fc.nat(4), total: fc.nat(9) })
    .map((row) => insert('orders', row)),
  fc.nat(5).map((id) => remove('orders', id)),
  fc.constant(truncate('orders')),
  fc.record({ id: fc.nat(99), page: fc.nat(2) }).map((row) => insert('clicks', row)),
)

test('wherever it is cut off, and however a commit comes in parts, the same is told', async (t) => {
  const commits = fc.array(fc.array(change, { minLength: 1, maxLength: 12 }), { maxLength: 6 })
  const property = fc.asyncProperty(
    commits,
    fc.array(fc.nat(100)),
    fc.nat(60),
    fc.constantFrom('before', 'after'),
    async (all, cutAt, failAt, moment) => {
      const log = new TestLog()
      for (const changes of all) log.commit(...changes)
      const undisturbed = new MemoryTask()
      await run(taskOf(shop, undisturbed), log)
      const task = new MemoryTask()
      let isLeft = true
      task.crash = (when, count) => {
        if (!isLeft || when !== moment || count !== failAt) return
        isLeft = false
        throw new Error('cut off')
      }
      const cuts = new Set(cutAt)
      const once = () => run(taskOf(shop, task, 1), log, cuts)
      await once().catch((error: Error) => {
        if (error.message !== 'cut off') throw error
        return once()
      })
      await once()
      const inOrder = (records: readonly NewRecord[]) =>
        records.map(({ topic, key, value, version }) => `${topic} ${version} ${key} ${value}`)
      const [got, wanted] = [inOrder(task.records).sort(), inOrder(undisturbed.records).sort()]
      if (got.join('\n') !== wanted.join('\n')) {
        throw new Error(`told\n${got.join('\n')}\nin place of\n${wanted.join('\n')}`)
      }
    },
  )
  await fc.assert(property, { numRuns: 300 })
  t.pass()
})
