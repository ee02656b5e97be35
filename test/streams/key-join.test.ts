import { test } from 'tap'
import { defineView } from '../../src/streams/view.ts'
import { insert, remove, update } from './changes.ts'
import { told, ViewRun } from './view-run.ts'

type Row = { id: number; v: string }

function pair(left: Row | null, right: Row | null) {
  return { l: left?.v ?? null, r: right?.v ?? null }
}

const views = {
  inner: defineView(({ table }) => table<Row>('l').join(table<Row>('r'), pair)),
  left: defineView(({ table }) => table<Row>('l').leftJoin(table<Row>('r'), pair)),
  outer: defineView(({ table }) => table<Row>('l').outerJoin(table<Row>('r'), pair)),
}

test('rows of the same key are joined as the join’s type says', async (t) => {
  const run = new ViewRun(views)
  const all = () => [run.documents('inner'), run.documents('left'), run.documents('outer')]
  await run.commit(insert('l', { id: 1, v: 'a' }), insert('r', { id: 2, v: 'x' }))
  const [alone, other] = [{ '{"id":1}': { l: 'a', r: null } }, { '{"id":2}': { l: null, r: 'x' } }]
  t.strictSame(all(), [{}, alone, { ...alone, ...other }])
  await run.commit(insert('r', { id: 1, v: 'y' }))
  const joined = { '{"id":1}': { l: 'a', r: 'y' } }
  t.strictSame(all(), [joined, joined, { ...joined, ...other }])
  await run.commit(remove('l', 1), remove('r', 2))
  t.strictSame(all(), [{}, {}, { '{"id":1}': { l: null, r: 'y' } }])
})

test('a commit that changes both sides is told once', async (t) => {
  const run = new ViewRun({ inner: views.inner })
  await run.commit(insert('l', { id: 1, v: 'a' }), insert('r', { id: 1, v: 'x' }))
  const records = await run.commit(update('l', { id: 1, v: 'b' }), update('r', { id: 1, v: 'y' }))
  t.strictSame(told(records), ['u {"id":1} {"l":"b","r":"y"}'])
})
