import { join } from 'node:path'
import avro from 'avsc'
import type { Message } from 'kafkajs'
import t from 'tap'
import { readChange } from '../../../src/core/envelope.ts'
import type { LogRecord } from '../../../src/core/record.ts'
import { serveRegistry } from '../../../src/log/registry/server.ts'
import { useKafka } from '../../support/servers/use.ts'
import { take } from './change.ts'
import { customer, debeziumRecord, debeziumTombstone, unavailable } from './debezium.ts'
import { ForeignClient } from './foreign.ts'
import { openLog } from './open.ts'

const { bootstrap, prefix } = await useKafka(t)
const foreign = new ForeignClient(bootstrap)

interface Given {
  readonly topic: string
  readonly input: object
  readonly registry?: { readonly url: string }
}

/** Reads what others have written to a topic. */
async function readInput({ topic, input, registry }: Given, count: number) {
  const log = openLog(bootstrap, prefix, { topics: { [topic]: { input } }, registry })
  try {
    return await take(log.reader([topic], 'r'), count)
  } finally {
    await log.close()
  }
}

/** A topic of others with these records. */
async function written(name: string, messages: readonly Message[], partitions = 1) {
  const topic = `${prefix}.${name}`
  await foreign.createTopic(topic, partitions)
  if (messages.length > 0) await foreign.send(topic, messages)
  return topic
}

const plainRow = {
  ...{ id: 1, name: 'n1', total: '123.45', day: '2024-01-02', at: '2024-01-02T03:04:05.678' },
  ...{ seen: '2024-01-02T03:04:05.678Z', photo: 'AQI=', note: 'long' },
}

t.test("Debezium's changes with schemas have the values that ours have", async (t) => {
  const hole = customer(1, { name: 'other', note: unavailable })
  const messages = [
    debeziumRecord(1, { op: 'r', after: customer(1, { big: 'BIG' }) }, true),
    debeziumRecord(1, { op: 'u', after: hole }, true),
    debeziumRecord(1, { op: 'd', before: customer(1) }, true),
    debeziumTombstone(1, true),
  ]
  const topic = await written('with-schemas', messages)
  const records = await readInput({ topic, input: {} }, 4)
  const [read, updated, deleted, tombstone] = records
  t.same(
    records.map(({ key }) => String(key)),
    Array(4).fill('{"id":1}'),
  )
  const after = Buffer.from(readChange(read!).after!).toString()
  t.match(JSON.parse(after), { ...plainRow, doc: { a: [1.5, null] } })
  t.match(after, '"big":9007199254740993', 'every digit is there')
  t.match(after, '"doc":{"a": [1.50, null]}')
  t.match(read!.schema!.columns.slice(0, 5), [
    { name: 'id', kind: 'number', type: 'int4', key: true },
    { name: 'name', kind: 'string', type: 'text', key: false },
    { name: 'big', kind: 'int8', type: 'int8' },
    { name: 'total', kind: 'decimal', type: 'numeric(10,2)' },
    { name: 'day', kind: 'date', type: 'date' },
  ])
  t.equal(readChange(updated!).op, 'u')
  t.equal(updated!.headers!['millrace.unchanged'], '["note"]')
  t.notMatch(String(updated!.value), unavailable)
  t.equal(updated!.schema, read!.schema)
  t.match(JSON.parse(String(readChange(deleted!).before)), plainRow)
  t.equal(tombstone!.value, null)
  t.same(
    records.map(({ version, endsCommit }) => [version, endsCommit]),
    [
      [1n, true],
      [2n, true],
      [3n, true],
      [4n, true],
    ],
  )
})

t.test("Debezium's changes without schemas stay as they are", async (t) => {
  const change = { op: 'u', after: customer(1, { big: 'BIG', note: unavailable }) } as const
  const message = debeziumRecord(1, change, false)
  const pretty = JSON.stringify(JSON.parse(message.value), null, 2)
  const topic = await written('without-schemas', [message, { ...message, value: pretty }])
  const [first, second] = await readInput({ topic, input: {} }, 2)
  t.equal(String(first!.value), message.value)
  t.equal(first!.headers!['millrace.unchanged'], '["note"]')
  t.equal(first!.schema, undefined)
  t.notMatch(String(second!.value), '\n', 'a document is one line')
  t.same(JSON.parse(String(second!.value)), JSON.parse(pretty))
})

t.test('rows in Avro are described by the registry', async (t) => {
  const server = await serveRegistry({ path: join(t.testdir({}), 'schemas.ndjson') })
  t.teardown(() => server.close())
  const schema = {
    ...{ type: 'record', name: 'Order', namespace: 'legacy' },
    fields: [
      { name: 'id', type: 'long' },
      { name: 'kind', type: { type: 'enum', name: 'Kind', symbols: ['A', 'B'] } },
      { name: 'price', type: { type: 'bytes', logicalType: 'decimal', precision: 9, scale: 2 } },
      { name: 'at', type: ['null', { type: 'long', logicalType: 'timestamp-millis' }] },
      { name: 'tags', type: { type: 'array', items: 'string' } },
      { name: 'to', type: { type: 'map', values: 'int' } },
      { name: 'parent', type: ['null', 'Order'] },
      { name: 'either', type: ['null', 'int', 'long'] },
    ],
  } as avro.Schema
  const answer = await fetch(`${server.url}/subjects/x-value/versions`, {
    ...{ method: 'POST', body: JSON.stringify({ schema: JSON.stringify(schema) }) },
  })
  const { id } = (await answer.json()) as { id: number }
  const type = avro.Type.forSchema(schema)
  const inner = {
    id: 8,
    kind: 'B',
    price: Buffer.from([0xff]),
    at: null,
    tags: [],
    to: {},
    either: null,
  }
  const order = {
    ...{ id: 7, kind: 'A', price: Buffer.from([0x30, 0x39]), at: 1_704_164_645_678 },
    ...{ tags: ['a'], to: { x: 1 }, parent: { ...inner, parent: null } },
    either: { int: 5 },
  }
  const head = Buffer.from([0, 0, 0, 0, id])
  const messages = [
    { key: 'o-7', value: Buffer.concat([head, type.toBuffer(order)]) },
    { key: 'o-7', value: null },
  ]
  const topic = await written('avro', messages)
  const input = { key: 'string', 'key.name': 'code', value: 'avro', holds: 'rows' }
  const registry = { url: server.url }
  const [row, deleted] = await readInput({ topic, input, registry }, 2)
  t.equal(String(row!.key), '{"code":"o-7"}')
  t.match(JSON.parse(String(readChange(row!).after)), {
    ...{ id: 7, kind: 'A', price: '123.45', at: '2024-01-02T03:04:05.678Z' },
    ...{ tags: ['a'], to: { x: 1 }, parent: { id: 8, price: '-0.01', parent: null } },
    either: 5,
  })
  t.match(row!.schema!.columns.slice(0, 5), [
    { name: 'id', kind: 'int8' },
    { name: 'kind', kind: 'string' },
    { name: 'price', kind: 'decimal', type: 'numeric(9,2)' },
    { name: 'at', kind: 'timestamptz' },
    { name: 'tags', kind: 'array', element: 'string' },
  ])
  t.equal(readChange(deleted!).op, 'd')
})

t.test('keys may be numbers, text, or of no use', async (t) => {
  const int64 = Buffer.alloc(8)
  int64.writeBigInt64BE(9_007_199_254_740_993n)
  const keys = {
    int64: [int64, '{"key":9007199254740993}'],
    int32: [Buffer.from([0xff, 0xff, 0xff, 0xfe]), '{"key":-2}'],
    string: ['a "b"', '{"key":"a \\"b\\""}'],
    json: ['"x"', '{"key":"x"}'],
    none: ['what', null],
  } as const
  for (const [key, [bytes, expected]] of Object.entries(keys)) {
    const topic = await written(`key-${key}`, [{ key: bytes, value: '{"a":1}' }])
    const [record] = await readInput({ topic, input: { key, holds: 'rows' } }, 1)
    t.equal(record!.key && String(record!.key), expected, key)
    t.equal(readChange(record!).op, 'u')
  }
})

t.test('the time may stand in the value, in several units', async (t) => {
  const at = 1_704_164_645_678
  const messages = [
    { key: '{"id":1}', value: JSON.stringify({ t: { us: at * 1000 } }), timestamp: '5' },
    { key: '{"id":1}', value: '{"t":{"us":"2024-01-02T03:04:05.678Z"}}', timestamp: '5' },
    { key: '{"id":1}', value: '{"t":null}', timestamp: '6' },
  ]
  const topic = await written('times', messages)
  const input = { holds: 'rows', timestamp: 't.us', 'timestamp.unit': 'us' }
  const records = await readInput({ topic, input }, 3)
  t.same(
    records.map(({ timestamp }) => timestamp),
    [at, at, 6],
  )
})

t.test('reading begins where it is told to', async (t) => {
  const messages = [1, 2, 3, 4].map((i) => ({
    ...{ key: `{"id":${i}}`, value: `{"n":${i}}`, timestamp: String(1_704_067_200_000 + i * 1000) },
  }))
  const topic = await written('begin', messages)
  const first = async (begin: unknown) => {
    const [record] = await readInput({ topic, input: { holds: 'rows', begin } }, 1)
    return (JSON.parse(String(record!.value)) as { n: number }).n
  }
  t.equal(await first('earliest'), 1)
  t.equal(await first('2024-01-01T00:00:03Z'), 3)
  t.equal(await first(1), 2)
  t.equal(await first([3]), 4)
})

t.test('who begins at the end sees what comes from then on, also after a restart', async (t) => {
  const row = (n: number) => ({ key: `{"id":${n}}`, value: `{"n":${n}}` })
  const topic = await written('latest', [row(1)])
  const log = openLog(bootstrap, prefix, {
    topics: { [topic]: { input: { holds: 'rows', begin: 'latest' } } },
  })
  const { signal } = new AbortController()
  let position: LogRecord['value'] | string | undefined
  for await (const batch of log.reader([topic], 'r').read(undefined, signal)) {
    t.same(batch.records, [])
    position = batch.position
    break
  }
  await foreign.send(topic, [row(2)])
  const [record] = await take(log.reader([topic], 'r'), 1, position as never)
  t.equal(String(record!.value), '{"n":2}')
  await log.close()
})

t.test('what cannot be read keeps its bytes, and is refused with the reason', async (t) => {
  const messages = [
    { key: '{"id":1}', value: '{"n":' },
    { key: '{"id":1}', value: '[1]' },
    { key: 'x', value: '{"n":1}' },
    { key: '{"id":1}', value: '{"n":1}' },
  ]
  const topic = await written('poison', messages)
  const records = await readInput({ topic, input: { holds: 'rows' } }, 4)
  const [cut, list, key, good] = records
  t.equal(String(cut!.value), '{"n":')
  t.throws(() => readChange(cut!), { name: 'SyntaxError', message: /JSON/ })
  t.throws(() => readChange(list!), { message: 'the value is no JSON object' })
  t.throws(() => readChange(key!), { name: 'SyntaxError' })
  t.equal(readChange(good!).op, 'u')
})

t.test('rows that are marked as deleted are deletes', async (t) => {
  const messages = [{ key: '{"id":1}', value: '{"id":1,"__deleted":"true"}' }]
  const topic = await written('marked', messages)
  const [record] = await readInput({ topic, input: { holds: 'rows' } }, 1)
  t.equal(readChange(record!).op, 'd')
})

t.test('a topic that others have not made yet is not made by us', async (t) => {
  const topic = `${prefix}.nobody`
  const log = openLog(bootstrap, prefix, { topics: { [topic]: { input: {} } } })
  const assignments = log.assignments([topic], `${prefix}.g`, new AbortController().signal)
  await t.rejects(assignments[Symbol.asyncIterator]().next(), {
    code: 'SERVER_ERROR',
    message: /no topic .*nobody/,
  })
  await log.close()
})
