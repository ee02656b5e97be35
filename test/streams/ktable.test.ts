import { test } from 'tap'
import { defineView, tableView } from '../../src/streams/view.ts'
import { insert, remove, update } from './changes.ts'
import { told, ViewRun } from './view-run.ts'

type Row = { id: number; n: number }

test('a row that no longer passes a filter leaves the view, and may come back', async (t) => {
  const view = defineView(({ table }) => table<Row>('rows').filter(({ n }) => n > 2))
  const run = new ViewRun({ v: view })
  t.same(told(await run.commit(insert('rows', { id: 1, n: 1 }))), [])
  t.same(told(await run.commit(update('rows', { id: 1, n: 3 }))), ['c {"id":1} {"id":1,"n":3}'])
  t.same(told(await run.commit(update('rows', { id: 1, n: 2 }))), [
    'd {"id":1}',
    'tombstone {"id":1}',
  ])
  t.same(told(await run.commit(remove('rows', 1))), [])
})

test('a mapped row that stays the same is not told again', async (t) => {
  const view = defineView(({ table }) => table<Row>('rows').mapValues(({ n }) => ({ odd: n % 2 })))
  const run = new ViewRun({ v: view })
  t.same(told(await run.commit(insert('rows', { id: 1, n: 1 }))), ['c {"id":1} {"odd":1}'])
  t.same(told(await run.commit(update('rows', { id: 1, n: 3 }))), [])
  t.same(told(await run.commit(update('rows', { id: 1, n: 4 }))), ['u {"id":1} {"odd":0}'])
})

test('a row made into null is left out', async (t) => {
  const view = defineView(({ table }) =>
    table<Row>('rows').mapValues(({ n }) => (n < 0 ? null : { n })),
  )
  const run = new ViewRun({ v: view })
  t.same(told(await run.commit(insert('rows', { id: 1, n: 1 }))), ['c {"id":1} {"n":1}'])
  t.same(told(await run.commit(update('rows', { id: 1, n: -1 }))), [
    'd {"id":1}',
    'tombstone {"id":1}',
  ])
})

test('a view reads another view as of the same commit', async (t) => {
  const run = new ViewRun({
    above: defineView(({ view, table }) =>
      table<Row>('rows').join(view<{ twice: number }>('below'), {
        on: ({ id }) => id,
        select: ({ n }, { twice }) => ({ n, twice }),
      }),
    ),
    below: defineView(({ table }) => table<Row>('rows').mapValues(({ n }) => ({ twice: 2 * n }))),
    byTopic: defineView(({ table }) => table<{ twice: number }>('shop.below')),
  })
  await run.commit(insert('rows', { id: 1, n: 1 }))
  const records = await run.commit(update('rows', { id: 1, n: 5 }))
  t.same(told(records.filter(({ topic }) => topic === 'shop.above')), [
    'u {"id":1} {"n":5,"twice":10}',
  ])
  t.same(run.documents('byTopic'), { '{"id":1}': { twice: 10 } })
})

test('a table as a view keeps digits, the order of columns and their types', async (t) => {
  const schema = {
    columns: [
      { name: 'id', kind: 'number', type: 'int4', key: true },
      { name: 'big', kind: 'int8', type: 'int8', key: false },
    ],
  } as const
  const run = new ViewRun({ v: tableView('rows') })
  const row = { id: 1, big: 9007199254740993n }
  const [record] = await run.commit({ ...insert('rows', row), schema })
  t.match(String(record!.value), '"after":{"id":1,"big":9007199254740993}')
  t.same(record!.schema, schema)
})

test('int8 values go through a view with all their digits', async (t) => {
  const schema = { columns: [{ name: 'big', kind: 'int8', type: 'int8', key: false }] } as const
  const view = defineView(({ table }) =>
    table<{ id: number; big: bigint }>('rows').mapValues(({ big }) => ({ next: big + 1n })),
  )
  const run = new ViewRun({ v: view })
  const [record] = await run.commit({
    ...insert('rows', { id: 1, big: 9007199254740993n }),
    schema,
  })
  t.match(String(record!.value), '"after":{"next":9007199254740994}')
})
