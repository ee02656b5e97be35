import { test } from 'tap'
import {
  type ChunkRow,
  ChunkWindow,
  complete,
} from '../../../../connectors/postgres/snapshot/chunk-window.ts'
import { parseVisibility } from '../../../../connectors/postgres/snapshot/chunk-xids.ts'
import type { ObservedChange } from '../../../../connectors/postgres/snapshot/incremental-observer.ts'
import { RowSpill } from '../../../../connectors/postgres/snapshot/row-spill.ts'

const bytes = (value: unknown) => Buffer.from(JSON.stringify(value))
const key = (id: number) => bytes({ id })
const envelope = (before: unknown, after: unknown, op: string) =>
  bytes({ before, after, source: { snapshot: 'false' }, op })

function row(id: number, rest: object = {}): ChunkRow {
  return { key: key(id), value: envelope(null, { id, ...rest }, 'r') }
}

function change(op: 'c' | 'u' | 'd', id: number, more: Partial<ObservedChange> = {}) {
  const value = envelope(null, op === 'd' ? null : { id }, op)
  return { op, key: key(id), oldKey: null, value, unchanged: undefined, ...more }
}

function rowsOf(window: ChunkWindow): unknown[] {
  return [...window.take()].map(({ value }) => JSON.parse(String(value)).after)
}

/** Sees what is below 10, and 11; 10 is under way. */
const visibility = parseVisibility('10:12:10')

function open(rows: readonly ChunkRow[] | RowSpill, earlier: readonly bigint[] = []): ChunkWindow {
  const window = new ChunkWindow(earlier)
  window.see(visibility)
  window.load(rows)
  return window
}

test('a row that a newer transaction wrote or deleted is dropped', async (t) => {
  const window = open([row(1), row(2), row(3), row(4)])
  window.observe(10n, change('u', 1))
  window.observe(12n, change('d', 2))
  window.observe(11n, change('u', 3))
  window.observe(9n, change('d', 4))
  t.strictSame(rowsOf(window), [{ id: 3 }, { id: 4 }])
})

test('changes that came before the rows count all the same', async (t) => {
  const window = new ChunkWindow([])
  window.observe(10n, change('d', 1))
  window.observe(11n, change('d', 2))
  window.see(visibility)
  window.observe(12n, change('u', 3))
  window.load([row(1), row(2), row(3)])
  t.strictSame(rowsOf(window), [{ id: 2 }])
})

test('a chunk is read again if it does not see a commit that was streamed before', async (t) => {
  t.equal(open([row(1)], [9n, 11n]).spoiled, undefined)
  t.equal(open([row(1)], [10n]).spoiled, 'a commit was not visible')
  t.equal(open([row(1)], [12n]).spoiled, 'a commit was not visible')
})

test('a truncate spoils a chunk only if the chunk does not see it', async (t) => {
  const window = open([row(1)])
  window.interrupt(11n, 'truncated')
  t.equal(window.spoiled, undefined)
  window.interrupt(12n, 'truncated')
  t.equal(window.spoiled, 'truncated')
})

test('what a newer change lacks is filled from the chunk, through changes of the key', async (t) => {
  const window = open([row(1, { n: 1, big: 'B' }), row(2, { n: 2, big: 'C' })])
  const unchanged = ['big']
  const value = (after: object) => envelope(null, after, 'u')
  window.observe(12n, change('u', 1, { value: value({ id: 1, n: 5 }), unchanged }))
  const moved = { oldKey: key(1), value: value({ id: 7, n: 6 }), unchanged }
  window.observe(12n, change('u', 7, moved))
  window.observe(12n, change('u', 2, { oldKey: key(2), value: value({ id: 8, big: 'D' }) }))
  t.strictSame(rowsOf(window), [{ id: 7, n: 6, big: 'B' }])
})

test('without a key, rows are told apart by what is in them', async (t) => {
  const keyless = (note: string): ChunkRow => ({
    key: null,
    value: envelope(null, { note }, 'r'),
  })
  const rows = new RowSpill(undefined)
  for (const note of ['a', 'a', 'b']) rows.add(keyless(note))
  const window = open(rows)
  const gone = (note: string) => envelope({ note }, null, 'd')
  const none = { key: null, oldKey: null, unchanged: undefined } as const
  window.observe(12n, { ...none, op: 'd', value: gone('a') })
  window.observe(12n, { ...none, op: 'c', value: envelope(null, { note: 'b' }, 'c') })
  window.observe(12n, { ...none, op: 'd', value: gone('b') })
  t.strictSame(rowsOf(window), [{ note: 'a' }, { note: 'b' }])
})

test('a placeholder gives way to the value, and the rest of the envelope stays', async (t) => {
  const read = envelope(null, { id: 1, 'a "quoted" name': '{"after":1}', n: 1 }, 'r')
  const newer = envelope(null, { id: 1, 'a "quoted" name': '__placeholder', n: 2 }, 'u')
  t.strictSame(
    JSON.parse(String(complete(read, newer, ['a "quoted" name']))),
    JSON.parse(String(envelope(null, { id: 1, 'a "quoted" name': '{"after":1}', n: 2 }, 'r'))),
  )
})
