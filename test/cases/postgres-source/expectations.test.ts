import t from 'tap'
import { type Delivery, isSnapshot, parseRecord } from './delivery.ts'
import { compareRecords, compareWhole, withoutUnexpectedControl } from './expectations.ts'

const topic = 'test_server.public.t'

/** A record as the connector writes it. */
function delivery(key: unknown, value: unknown, headers?: Record<string, string>, on = topic) {
  const bytes = (json: unknown) => (json === null ? null : Buffer.from(JSON.stringify(json)))
  const place = { timestamp: 0, version: 1n, ordinal: 0, endsCommit: true }
  return parseRecord({ topic: on, key: bytes(key), value: bytes(value), headers, ...place })
}

const created = (v: unknown, snapshot = 'false') =>
  delivery({ id: 1 }, { op: 'c', before: null, after: { id: 1, v }, source: { snapshot, lsn: 5 } })

function differences(expected: Parameters<typeof compareRecords>[0], actual: Delivery[]) {
  const context = { root: { records: actual }, bound: new Map() }
  return compareRecords(expected, actual, context).map(({ path }) => path)
}

t.test('a record that is as expected makes no difference', async (t) => {
  const expected = { op: 'c', topic, key: { id: 1 }, before: null, after: { v: 'x' } }
  t.same(differences([expected], [created('x')]), [])
})

t.test('a wrong value, key, topic or op is a difference', async (t) => {
  const actual = [created('x')]
  t.same(differences([{ after: { v: 'y' } }], actual), ['records[0].after.v'])
  t.same(differences([{ key: { id: 2 } }], actual), ['records[0].key.id'])
  t.same(differences([{ key: null }], actual), ['records[0].key'])
  t.same(differences([{ topic: 'other' }], actual), ['records[0].topic'])
  t.same(differences([{ op: 'u' }], actual), ['records[0].op'])
  t.same(differences([{ before: { v: 'x' } }], actual), ['records[0].before'])
})

t.test('a record too few or too many is a difference', async (t) => {
  t.same(differences([{ op: 'c' }, { op: 'c' }], [created('x')]), ['records.length'])
  t.same(differences([{ op: 'c' }], [created('x'), created('y')]), ['records.length'])
  t.same(differences([], [created('x')]), ['records.length'])
})

t.test('a tombstone is a key without a value, and nothing else is one', async (t) => {
  const expected = { tombstone: true as const, key: { id: 1 }, value: null }
  t.same(differences([expected], [delivery({ id: 1 }, null)]), [])
  t.ok(differences([expected], [created('x')]).includes('records[0].tombstone'))
  t.ok(differences([{ key: { id: 1 } }], [delivery({ id: 1 }, null)]).length > 0)
})

t.test('headers are read as JSON where an object is expected', async (t) => {
  const actual = [delivery({ id: 1 }, { op: 'd' }, { '__debezium.newkey': '{"id":2}' })]
  t.same(differences([{ headers: { '__debezium.newkey': { id: 2 } } }], actual), [])
  t.equal(differences([{ headers: { '__debezium.newkey': { id: 3 } } }], actual).length, 1)
  t.equal(differences([{ headers: { '__debezium.oldkey': { id: 2 } } }], actual).length, 1)
})

t.test('counts, silent topics and equal values are compared', async (t) => {
  const records = [created('x'), created('y')]
  const whole = (expect: object) =>
    compareWhole({ compare: 'subset', records: [], ...expect }, { all: records, records }).length
  t.equal(whole({ countsByTopic: { [topic]: 2 } }), 0)
  t.equal(whole({ countsByTopic: { [topic]: 3 } }), 1)
  t.equal(whole({ noRecordsOn: ['test_server.public.other'] }), 0)
  t.equal(whole({ noRecordsOn: [topic] }), 1)
  t.equal(whole({ sameAcross: [['records[0].source.lsn', 'records[1].source.lsn']] }), 0)
  t.equal(whole({ sameAcross: [['records[0].after.v', 'records[1].after.v']] }), 1)
  t.equal(whole({ sameAcross: [['records[0].no', 'records[1].no']] }), 1)
})

t.test('the transaction topic counts only where a case speaks of it', async (t) => {
  const control = delivery({ id: 'x' }, { status: 'BEGIN' }, {}, 'test_server.transaction')
  const actual = [control, created('x')]
  t.equal(withoutUnexpectedControl([{ topic }], actual).length, 1)
  t.equal(withoutUnexpectedControl([{ topic: control.topic }, { topic }], actual).length, 2)
})

t.test('a heartbeat may repeat itself', async (t) => {
  const beat = delivery(null, { ts_ms: 1 }, {}, '__debezium-heartbeat.test_server')
  t.equal(withoutUnexpectedControl([{ topic: beat.topic }], [beat, beat, beat]).length, 1)
})

t.test('an incremental snapshot belongs to the stream', async (t) => {
  t.ok(isSnapshot(created('x', 'first')))
  t.notOk(isSnapshot(created('x', 'incremental')))
  t.notOk(isSnapshot(created('x')))
})
