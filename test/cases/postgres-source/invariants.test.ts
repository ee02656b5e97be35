import t from 'tap'
import { parseRecord } from './delivery.ts'
import { checkInvariants, type Evidence, isUnderstood } from './invariants.ts'
import { pairs } from './steps.ts'

function record(topic: string, key: unknown, value: unknown) {
  const bytes = (json: unknown) => Buffer.from(JSON.stringify(json))
  const place = { timestamp: 0, version: 1n, ordinal: 0, endsCommit: true }
  return parseRecord({ topic, key: bytes(key), value: bytes(value), ...place })
}

function row(op: string, pk: number, aa: number, source: object = { snapshot: 'incremental' }) {
  return record('test_server.s1.a', { pk }, { op, after: { pk, aa }, source })
}

/** Whether a sentence holds of these records. */
async function holds(sentence: string, all: Evidence['all']): Promise<boolean> {
  const options = { 'signal.data.collection': 's1.signal' }
  const play = { stage: { options } } as unknown as Evidence['play']
  return (await checkInvariants([sentence], { play, all, dml: [] })).length === 0
}

t.test('a sentence that is not understood fails the case', async (t) => {
  t.notOk(isUnderstood('all is well'))
  t.notOk(await holds('all is well', []))
})

t.test(
  'rows of an incremental snapshot must all come, with their values and their mark',
  async (t) => {
    const sentence =
      'topic test_server.s1.a gets op r for every pk 1..2 with aa = pk-1, each at least once, ' +
      'source.snapshot = incremental'
    t.ok(await holds(sentence, [row('r', 1, 0), row('r', 2, 1), row('r', 2, 1)]))
    t.notOk(await holds(sentence, [row('r', 1, 0)]))
    t.notOk(await holds(sentence, [row('r', 1, 0), row('r', 2, 7)]))
    t.notOk(await holds(sentence, [row('r', 1, 0), row('r', 2, 1, { snapshot: 'true' })]))
  },
)

t.test('an old row after a newer change is found', async (t) => {
  const sentence = 'no r record for a key arrives after a newer c/u for the same key'
  t.ok(await holds(sentence, [row('r', 1, 0), row('u', 1, 5), row('r', 1, 5)]))
  t.notOk(await holds(sentence, [row('u', 1, 5), row('r', 1, 0)]))
})

t.test(
  'the last record of every key must be the newest, and a snapshot must have run',
  async (t) => {
    const sentence = 'last record per key has aa = pk-1+2000 (no stale r after u)'
    t.ok(await holds(sentence, [row('r', 1, 0), row('u', 1, 2000)]))
    t.notOk(await holds(sentence, [row('u', 1, 2000), row('r', 1, 0)]))
    t.notOk(await holds(sentence, [row('u', 1, 2000)]))
    t.notOk(await holds(sentence, []))
  },
)

t.test('records of one transaction share its id', async (t) => {
  const sentence = 'all records share one source.txId'
  t.ok(await holds(sentence, [row('c', 1, 1, { txId: 7 }), row('c', 2, 1, { txId: 7 })]))
  t.notOk(await holds(sentence, [row('c', 1, 1, { txId: 7 }), row('c', 2, 1, { txId: 8 })]))
  t.notOk(await holds(sentence, [row('c', 1, 1, { txId: null })]))
  t.notOk(await holds(sentence, []))
})

t.test('marks of a transaction are counted', async (t) => {
  const mark = (status: string, event_count: number | null) =>
    record('test_server.transaction', { id: 'x' }, { status, id: 'x', event_count })
  const once = 'exactly one BEGIN and at least one END record for the transaction id'
  const count = 'END.event_count = 2n'
  t.ok(await holds(once, [mark('BEGIN', null), mark('END', 1)]))
  t.notOk(await holds(once, [mark('BEGIN', null), mark('BEGIN', null), mark('END', 1)]))
  t.notOk(await holds(once, [mark('BEGIN', null)]))
  t.ok(await holds(count, [mark('END', 2 * pairs)]))
  t.notOk(await holds(count, [mark('END', 1)]))
  t.notOk(await holds(count, []))
})

t.test('orders within a table have no gap', async (t) => {
  const sentence =
    'data_collection_order per table is consecutive 1..n across the restart (duplicates allowed, no gaps)'
  const orders = (table: string, numbers: readonly number[]) =>
    numbers.map((order) =>
      record(table, { id: 1 }, { op: 'c', transaction: { data_collection_order: order } }),
    )
  const all = Array.from({ length: pairs }, (_, i) => i + 1)
  t.ok(await holds(sentence, [...orders('a', [1, 2, ...all]), ...orders('b', all)]))
  t.notOk(await holds(sentence, [...orders('a', [1, 3, ...all]), ...orders('b', all)]))
  t.notOk(await holds(sentence, [...orders('a', all.slice(1)), ...orders('b', all)]))
  t.notOk(await holds(sentence, orders('a', all)))
})
