import { test } from 'tap'
import { defineView, tableView } from '../../src/streams/view.ts'
import type { ViewPhase } from '../../src/streams/view-task.ts'
import { changeKey, insert, run as read, remove, update } from './changes.ts'
import { told, ViewRun } from './view-run.ts'

type Row = { id: number; n: number }

const rows = { v: tableView('rows') }
const doubled = {
  v: defineView(({ table }) =>
    table<Row>('rows')
      .filter(({ n }) => n < 10)
      .mapValues(({ id, n }) => ({ id, n: n * 2 })),
  ),
}

test("a view's record carries the commit that caused it", async (t) => {
  const run = new ViewRun(rows, { now: () => 5 })
  const records = await run.commit(insert('rows', { id: 1, n: 1 }), insert('rows', { id: 2, n: 1 }))
  const [first, second] = records
  t.equal(
    String(first!.value),
    '{"before":null,"after":{"id":1,"n":1},"source":{"version":"1.2.3","connector":"millrace",' +
      '"name":"shop","view":"v","ts_ms":1700000000001,"sequence":"1"},"op":"c","ts_ms":5}',
  )
  t.match(first, { topic: 'shop.v', timestamp: 1700000000001, version: 1010n, cause: 1n })
  t.match(
    [first, second].map((record) => [String(record!.key), record!.ordinal, record!.endsCommit]),
    [
      ['{"id":1}', 0, false],
      ['{"id":2}', 1, true],
    ],
  )
})

test('versions rise although those of the source fall', async (t) => {
  const run = new ViewRun(rows)
  const [first] = await run.commit(insert('rows', { id: 1, n: 1 }))
  run.log.commit(insert('rows', { id: 2, n: 1 }))
  Object.assign(run.log.records.at(-1)!, { version: 3n })
  const [second] = await run.read()
  t.equal(second!.version, first!.version + 1n)
})

test('a delete and its tombstone share a version, and the tombstone ends the commit', async (t) => {
  const run = new ViewRun(rows)
  await run.commit(insert('rows', { id: 1, n: 1 }))
  const [deletion, tombstone] = await run.commit(remove('rows', 1))
  t.match(deletion, { ordinal: 0, endsCommit: false })
  t.match(tombstone, { ordinal: 1, endsCommit: true, value: null, version: deletion!.version })
})

test('a delete knows the columns of the row that it deletes', async (t) => {
  const run = new ViewRun(rows)
  const schema = { columns: [{ name: 'id', kind: 'number', type: 'int4', key: true }] } as const
  run.log.commit(insert('rows', { id: 1, n: 1 }))
  Object.assign(run.log.records.at(-1)!, { schema })
  await run.read()
  const records = await run.commit(remove('rows', 1))
  t.same(
    records.map((record) => record.schema),
    [schema, schema],
  )
})

test('an unfinished commit tells nothing, also after a restart', async (t) => {
  const run = new ViewRun(rows)
  run.log.commit(insert('rows', { id: 1, n: 1 }), insert('rows', { id: 2, n: 1 }))
  const [part, rest] = [...run.log.batches(0, new Set([1]))]
  for (const batch of [part!, rest!]) {
    t.same(run.task.records, [])
    const task = run.open()
    await task.resume('test')
    await task.write(batch)
    await task.commit({ source: 'test', position: batch.position, timestamp: 0 })
  }
  t.same(told(run.task.records), ['c {"id":1} {"id":1,"n":1}', 'c {"id":2} {"id":2,"n":1}'])
})

test('an empty batch that is complete ends an unfinished commit', async (t) => {
  const run = new ViewRun(rows)
  run.log.commit(insert('rows', { id: 1, n: 1 }), insert('rows', { id: 2, n: 1 }))
  const [part] = [...run.log.batches(0, new Set([1]))]
  const task = run.open()
  await task.resume('test')
  await task.write(part!)
  await task.commit({ source: 'test', position: part!.position, timestamp: 0 })
  await task.write({ records: [], position: part!.position, complete: true })
  await task.commit({ source: 'test', position: part!.position, timestamp: 0 })
  t.same(told(run.task.records), ['c {"id":1} {"id":1,"n":1}'])
})

test('a large commit goes out in parts that together are one commit', async (t) => {
  const run = new ViewRun(rows, { partBytes: 1_000 })
  await run.commit(insert('rows', { id: 0, n: 0 }))
  const ids = Array.from({ length: 50 }, (_, i) => i + 1)
  const records = await run.commit(...ids.map((id) => insert('rows', { id, n: 1 })))
  const parts = run.task.transactions.slice(1)
  t.ok(parts.length > 5, `${parts.length} parts`)
  t.same(
    parts.map(({ complete }) => complete),
    parts.map((_, i) => i === parts.length - 1),
  )
  t.equal(new Set(records.map(({ version }) => version)).size, 1)
  t.same(
    records.map(({ ordinal }) => ordinal),
    records.map((_, i) => i),
  )
  t.same(
    records.map(({ endsCommit }) => endsCommit),
    records.map((_, i) => i === records.length - 1),
  )
})

test('a crash between the parts of a large commit is followed by the rest of it', async (t) => {
  const ids = Array.from({ length: 30 }, (_, i) => i + 1)
  const calm = new ViewRun(rows, { partBytes: 1_000, now: () => 5 })
  const rough = new ViewRun(rows, { partBytes: 1_000, now: () => 5 })
  for (const { log } of [calm, rough]) {
    log.commit(insert('rows', { id: 0, n: 0 }))
    log.commit(...ids.map((id) => insert('rows', { id, n: 1 })))
    log.commit(update('rows', { id: 1, n: 2 }))
  }
  await calm.read(new Set([1]))
  let crashes = 0
  const crashed = new Set<string>()
  rough.task.crash = (moment, transactions) => {
    if (crashed.has(`${moment} ${transactions}`)) return
    crashed.add(`${moment} ${transactions}`)
    crashes++
    throw new Error('crash')
  }
  for (let isDone = false; !isDone; ) {
    isDone = await rough.read(new Set([1])).then(
      () => true,
      () => false,
    )
  }
  t.ok(crashes > 10, `${crashes} crashes`)
  t.same(rough.task.records, calm.task.records)
})

test('what user code throws stops the views at that commit, and says where', async (t) => {
  const view = defineView(({ table }) =>
    table<Row>('rows').mapValues(({ n }) => {
      if (n === 3) throw new TypeError('three!\nat somewhere')
      return { n }
    }),
  )
  const run = new ViewRun({ v: view })
  await run.commit(insert('rows', { id: 1, n: 1 }))
  run.log.commit(insert('rows', { id: 2, n: 2 }))
  run.log.commit(insert('rows', { id: 3, n: 3 }))
  await t.rejects(run.read(new Set([2])), {
    code: 'VIEW_FAILED',
    message: 'View v failed in rows.mapValues() at key 3 of rows: TypeError: three!.',
    cause: TypeError,
  })
  t.same(Object.keys(run.documents('v')), ['{"id":1}', '{"id":2}'])
  run.define({ v: defineView(({ table }) => table<Row>('rows').mapValues(({ n }) => ({ n }))) })
  await run.read()
  t.same(run.documents('v'), { '{"id":1}': { n: 1 }, '{"id":2}': { n: 2 }, '{"id":3}': { n: 3 } })
})

test('a view cannot change the rows that it shares with others', async (t) => {
  const view = defineView(({ table }) =>
    table<Row>('rows').mapValues((row) => Object.assign(row, { n: 5 })),
  )
  await t.rejects(new ViewRun({ v: view }).commit(insert('rows', { id: 1, n: 1 })), {
    code: 'VIEW_FAILED',
  })
})

test('a changed view is built from history, and tells the difference in one commit', async (t) => {
  const phases: ViewPhase[] = []
  const run = new ViewRun(rows)
  await run.commit(insert('rows', { id: 0, n: 0 }), insert('rows', { id: 1, n: 1 }))
  await run.commit(insert('rows', { id: 2, n: 20 }), update('rows', { id: 1, n: 2 }))
  run.define(doubled, { onProgress: (phase) => phases.push(phase) })
  const cuts = new Set(run.log.records.keys())
  t.same(told(await run.read(cuts)), [
    'u {"id":1} {"id":1,"n":4}',
    'd {"id":2}',
    'tombstone {"id":2}',
  ])
  t.same(phases, ['building', 'running'])
  t.equal(run.task.transactions.filter(({ records }) => records.length > 0).length, 3)
  t.same(told(await run.commit(update('rows', { id: 2, n: 3 }))), ['c {"id":2} {"id":2,"n":6}'])
})

test('a rebuild that crashes anywhere comes to the same end', async (t) => {
  const run = new ViewRun(rows)
  for (let id = 0; id < 20; id++) await run.commit(insert('rows', { id, n: id }))
  run.define(doubled, { partBytes: 300 })
  const crashed = new Set<string>()
  run.task.crash = (moment, transactions) => {
    if (crashed.has(`${moment} ${transactions}`)) return
    crashed.add(`${moment} ${transactions}`)
    throw new Error('crash')
  }
  for (let isDone = false; !isDone; ) {
    isDone = await run.read(new Set(run.log.records.keys())).then(
      () => true,
      () => false,
    )
  }
  const expected = Array.from({ length: 10 }, (_, id) => [`{"id":${id}}`, { id, n: id * 2 }])
  t.same(run.documents('v'), Object.fromEntries(expected))
  const keys = run.task.records.slice(20).map(({ key, value }) => `${key} ${value === null}`)
  t.equal(new Set(keys).size, keys.length, 'each change was told once')
})

test('what a rebuild leaves behind is deleted from the store', async (t) => {
  const run = new ViewRun(rows)
  for (let id = 0; id < 20; id++) await run.commit(insert('rows', { id, n: 1 }))
  run.define({ v: tableView('others') })
  await run.commit(insert('others', { id: 1 }))
  t.same(run.documents('v'), { '{"id":1}': { id: 1 } })
  await run.commit(insert('others', { id: 2 }))
  t.ok(run.task.store.size < 15, `${run.task.store.size} entries`)
})

test('a view now over another table deletes its documents under their old keys', async (t) => {
  const run = new ViewRun(rows)
  await run.commit(insert('rows', { id: 1, n: 1 }), insert('others', { no: 2 }, { no: 2 }))
  await run.commit(insert('rows', { id: 2, n: 1 }), insert('others', { no: 1 }, { no: 1 }))
  run.define({ v: tableView('others') })
  t.same(told(await run.read()), [
    'd {"id":1}',
    'tombstone {"id":1}',
    'c {"no":1} {"no":1}',
    'd {"id":2}',
    'tombstone {"id":2}',
    'c {"no":2} {"no":2}',
  ])
})

test('a new view builds history up to where its topics end, and tells it at once', async (t) => {
  const phases: ViewPhase[] = []
  const run = new ViewRun(rows, {
    ends: async () => new Map([['rows', 3n]]),
    onProgress: (phase) => phases.push(phase),
  })
  run.log.commit(insert('rows', { id: 1, n: 1 }))
  run.log.commit(update('rows', { id: 1, n: 2 }))
  run.log.commit(update('rows', { id: 1, n: 3 }))
  run.log.commit(update('rows', { id: 1, n: 4 }))
  const records = await run.read(new Set([2]))
  t.same(told(records), ['c {"id":1} {"id":1,"n":3}', 'u {"id":1} {"id":1,"n":4}'])
  t.same(phases, ['building', 'running'])
})

test('state does not outlive the rows it is about', async (t) => {
  type Pair = { id: number; ref: number }
  const on = ({ ref }: Pair) => ref
  const run = new ViewRun({
    v: defineView(({ table }) =>
      table<Pair>('a')
        .leftJoin(table<Row>('b'), { on, select: (a, b) => ({ ...a, b }) })
        .nest(table<Pair>('c'), { on, as: 'c' }),
    ),
  })
  const entries: number[] = []
  for (let round = 0; round < 3; round++) {
    await run.commit(insert('a', { id: 1, ref: 1 }), insert('c', { id: 1, ref: 1 }))
    await run.commit(update('a', { id: 1, ref: 2 }), update('c', { id: 1, ref: 2 }))
    await run.commit(...changeKey('a', 1, { id: 2, ref: 2 }))
    await run.commit(insert('b', { id: 1 }), remove('b', 1), remove('a', 2), remove('c', 1))
    entries.push(run.task.store.size)
  }
  t.same(entries, [entries[0], entries[0], entries[0]])
})

test('clearing a source begins again from nothing', async (t) => {
  const run = new ViewRun(rows)
  await run.commit(insert('rows', { id: 1, n: 1 }))
  await run.open().clear('test')
  t.equal(run.task.position, undefined)
  t.same(told(await run.read()), ['c {"id":1} {"id":1,"n":1}'])
})

test('records that were read before are not taken twice', async (t) => {
  const run = new ViewRun(rows)
  await run.commit(insert('rows', { id: 1, n: 1 }))
  const task = run.open()
  await task.resume('test')
  const [batch] = [...run.log.batches(0)]
  t.same(await task.write(batch!), ['stale'])
})

test('topics that no view reads are left alone', async (t) => {
  const run = new ViewRun(rows)
  t.same(await run.commit(insert('others', { id: 1 })), [])
  await read(run.open(), run.log)
  t.same(run.task.records, [])
})
