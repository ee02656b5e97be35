import { test } from 'tap'
import { sweepHeader, unchangedHeader } from '../../src/core/record.ts'
import { tableView } from '../../src/streams/view.ts'
import { changeKey, insert, remove, type TestChange, truncate, update } from './changes.ts'
import { told, ViewRun } from './view-run.ts'

const rows = { v: tableView('rows') }

function without(change: TestChange, ...columns: string[]): TestChange {
  return { ...change, headers: { ...change.headers, [unchangedHeader]: JSON.stringify(columns) } }
}

test('what was there before a change comes from the table, not from the envelope', async (t) => {
  const run = new ViewRun(rows)
  await run.commit(insert('rows', { id: 1, n: 1 }))
  const [record] = await run.commit(update('rows', { id: 1, n: 2 }))
  t.match(JSON.parse(String(record!.value)), { before: { id: 1, n: 1 }, after: { id: 1, n: 2 } })
})

test('a tombstone without its delete, as compaction leaves it, is a delete', async (t) => {
  const run = new ViewRun(rows)
  await run.commit(insert('rows', { id: 1, n: 1 }))
  run.log.commit(remove('rows', 1))
  run.log.records.splice(-2, 1)
  t.same(told(await run.read()), ['d {"id":1}', 'tombstone {"id":1}'])
})

test('several changes of a row in a commit are one', async (t) => {
  const run = new ViewRun(rows)
  const records = await run.commit(
    insert('rows', { id: 1, n: 1 }),
    update('rows', { id: 1, n: 2 }),
    insert('rows', { id: 2, n: 1 }),
    remove('rows', 2),
  )
  t.same(told(records), ['c {"id":1} {"id":1,"n":2}'])
})

test('a row deleted and inserted again in a commit is an update, or nothing', async (t) => {
  const run = new ViewRun(rows)
  await run.commit(insert('rows', { id: 1, n: 1 }), insert('rows', { id: 2, n: 1 }))
  const records = await run.commit(
    remove('rows', 1),
    remove('rows', 2),
    insert('rows', { id: 1, n: 5 }),
    insert('rows', { id: 2, n: 1 }),
  )
  t.same(told(records), ['u {"id":1} {"id":1,"n":5}'])
})

test('an older version never replaces a newer one', async (t) => {
  const run = new ViewRun(rows)
  await run.commit(insert('rows', { id: 1, n: 2 }))
  run.log.commit(update('rows', { id: 1, n: 1 }))
  Object.assign(run.log.records.at(-1)!, { version: 1n })
  t.same(told(await run.read()), [])
})

test('a truncate removes what came before it, in its own commit too, and no more', async (t) => {
  const run = new ViewRun(rows)
  await run.commit(insert('rows', { id: 1, n: 1 }), insert('rows', { id: 2, n: 1 }))
  const records = await run.commit(
    insert('rows', { id: 3, n: 1 }),
    truncate('rows'),
    insert('rows', { id: 2, n: 9 }),
  )
  t.same(told(records).sort(), ['d {"id":1}', 'tombstone {"id":1}', 'u {"id":2} {"id":2,"n":9}'])
})

test('a sweep removes the rows that were not confirmed since its version', async (t) => {
  const run = new ViewRun(rows)
  await run.commit(insert('rows', { id: 1, n: 1 }), insert('rows', { id: 2, n: 1 }))
  run.log.commit({ topic: 'rows', op: 'r', key: { id: 2 }, row: { id: 2, n: 1 } })
  const headers = { [sweepHeader]: String(run.log.version) }
  const records = await run.commit({ topic: 'rows', op: 't', key: null, headers })
  t.same(told(records), ['d {"id":1}', 'tombstone {"id":1}'])
})

test('columns missing because they did not change are filled from the table', async (t) => {
  const column = (name: string) => ({ name, kind: 'string', type: 'text', key: false }) as const
  const schema = { columns: [column('id'), column('text'), column('n')] }
  const run = new ViewRun(rows)
  await run.commit({ ...insert('rows', { id: '1', text: 'long\n"ü', n: '1' }), schema })
  const change = without({ ...update('rows', { id: '1', n: '2' }), schema }, 'text')
  t.same(told(await run.commit(change)), ['u {"id":"1"} {"id":"1","text":"long\\n\\"ü","n":"2"}'])
  t.same(told(await run.commit({ ...change, op: 'u' })), [])
})

test('a row under a new key takes missing columns from the row under the old one', async (t) => {
  for (const cut of [false, true]) {
    const run = new ViewRun(rows)
    await run.commit(insert('rows', { id: 1, text: 'a', n: 1 }))
    const [before, after] = changeKey('rows', 1, { id: 2, n: 3 })
    run.log.commit(update('rows', { id: 1, text: 'b', n: 2 }), before!, without(after!, 'text'))
    const cuts = new Set(cut ? run.log.records.keys() : [])
    t.same(told(await run.read(cuts)), [
      'd {"id":1}',
      'tombstone {"id":1}',
      'c {"id":2} {"id":2,"n":3,"text":"b"}',
    ])
  }
})

test('a record without a key stops the views, and says which topic', async (t) => {
  const run = new ViewRun(rows)
  await t.rejects(run.commit({ topic: 'rows', op: 'c', key: null, row: { n: 1 } }), {
    code: 'NO_KEY',
    message: /rows/,
  })
})

test('a record that is no change is refused, and the others go on', async (t) => {
  const run = new ViewRun(rows)
  run.log.commit(insert('rows', { id: 1, n: 1 }), insert('rows', { id: 2, n: 2 }))
  Object.assign(run.log.records[0]!, { value: Buffer.from('[1]') })
  const task = run.open()
  await task.resume('test')
  const outcomes = []
  for (const batch of run.log.batches(0)) {
    outcomes.push(...(await task.write(batch)))
    await task.commit({ source: 'test', position: batch.position, timestamp: 0 })
  }
  t.match(outcomes, [{ code: 'not_a_change' }, 'applied'])
  t.same(run.documents('v'), { '{"id":2}': { id: 2, n: 2 } })
})

test('a change with holes that nothing fills is withheld until its row comes whole', async (t) => {
  const run = new ViewRun(rows)
  t.same(told(await run.commit(without(update('rows', { id: 1, n: 2 }), 'text'))), [])
  const whole = { id: 1, n: 2, text: 'long' }
  const read = { topic: 'rows', op: 'r', key: { id: 1 }, row: whole } as const
  t.same(told(await run.commit(read)), [`c {"id":1} ${JSON.stringify(whole)}`])
})

test('a placeholder never reaches a document', async (t) => {
  const run = new ViewRun(rows)
  await run.commit(insert('rows', { id: 1, n: 1, text: 'long' }))
  const change = without(
    update('rows', { id: 1, n: 2, text: '__debezium_unavailable_value' }),
    'text',
  )
  t.same(told(await run.commit(change)), ['u {"id":1} {"id":1,"n":2,"text":"long"}'])
})
