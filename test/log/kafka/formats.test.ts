import { join } from 'node:path'
import avro from 'avsc'
import t, { type Test } from 'tap'
import { type NewRecord, rowHeader, unchangedHeader } from '../../../src/core/record.ts'
import { stringifyRow } from '../../../src/core/row.ts'
import type { Column, Schema } from '../../../src/core/schema.ts'
import type { FormatName } from '../../../src/log/formats/format.ts'
import { serveRegistry } from '../../../src/log/registry/server.ts'
import { useKafka } from '../../support/servers/use.ts'
import { append, take } from './change.ts'
import { ForeignClient, type ForeignRecord } from './foreign.ts'
import { openLog } from './open.ts'

const { bootstrap, prefix } = await useKafka(t)
const foreign = new ForeignClient(bootstrap)

for (const format of ['json', 'connect', 'avro', 'json-schema'] as const) {
  t.test(`changes written as ${format} come back as they were`, async (t) => {
    const { url } = await openRegistry(t)
    const topic = `${prefix}.${format}.orders`
    const log = openLog(bootstrap, prefix, { format, registry: { url } })
    const writer = log.writer(`${prefix}.${format}`)
    await writer.resume('s')
    const written = history(topic)
    await append(writer, written, 'p')
    const read = await take(log.reader([topic], 'r'), written.length)
    for (const [i, record] of read.entries()) {
      const { key, value, headers, schema, version, ordinal, timestamp } = written[i]!
      t.same(textOf(record.key), textOf(key))
      t.same(parsed(record.value), parsed(value), `the value of record ${i}`)
      t.same({ ...record.headers }, { ...headers })
      t.same(record.schema, schema)
      t.match(record, { version, ordinal, timestamp })
    }
    await log.close()
  })

  t.test(`rows without envelopes, written as ${format}, come back as they were`, async (t) => {
    const { url } = await openRegistry(t)
    const topic = `${prefix}.${format}.rows`
    const log = openLog(bootstrap, prefix, { format, registry: { url } })
    const writer = log.writer(`${prefix}.${format}.rows`)
    await writer.resume('s')
    const rows = [
      { ...row, id: 1 },
      { ...row, id: 2 },
    ].map((each, i) => ({
      ...place(topic, i),
      key: Buffer.from(`{"id":${each.id}}`),
      value: Buffer.from(stringifyRow(each)),
      headers: { [rowHeader]: 'c' },
    }))
    const truncate = { ...place(topic, 2), key: null, headers: { [rowHeader]: 't' } }
    const envelope = Buffer.from('{"before":null,"after":null,"op":"t"}')
    const tombstone = { ...rows[0]!, ...place(topic, 3), value: null, headers: undefined }
    await append(writer, [...rows, { ...truncate, value: envelope }, tombstone], 'p')
    const read = await take(log.reader([topic], 'r'), 4)
    t.same(
      read.map(({ value }) => parsed(value)).slice(0, 2),
      rows.map(({ value }) => parsed(value)),
    )
    t.same(parsed(read[2]!.value), parsed(envelope))
    t.equal(read[3]!.value, null)
    t.same(textOf(read[3]!.key), '{"id":1}')
    await log.close()
  })
}

t.test('a consumer of Avro that knows only the registry reads changes', async (t) => {
  const { url } = await openRegistry(t)
  const found = await written(t, 'avro', url)
  const [created, updated, deleted, , tombstone, truncated] = found
  const types = new Map<number, avro.Type>()
  const read = async (bytes: Buffer | null) => {
    if (bytes === null) return null
    t.equal(bytes[0], 0)
    const id = bytes.readUInt32BE(1)
    const answer = await fetch(`${url}/schemas/ids/${id}`)
    const { schema } = (await answer.json()) as { schema: string }
    if (!types.has(id))
      types.set(id, avro.Type.forSchema(JSON.parse(schema), { wrapUnions: false }))
    return types.get(id)!.fromBuffer(bytes.subarray(5))
  }
  t.match(await read(created!.key), { id: 1 })
  t.match(await read(created!.value), {
    ...{ op: 'c', before: null, source: { connector: 'postgresql', table: 'orders' } },
    after: {
      ...{ id: 1, name: 'Ada', paid: true, total: Buffer.from([0x30, 0x39]) },
      ...{ day: 19_724, at: 1_704_164_645_678_000 },
    },
  })
  t.match(await read(updated!.value), { op: 'u', before: { name: 'Ada' }, after: { name: 'Eva' } })
  t.match(await read(deleted!.value), { op: 'd', after: null })
  t.equal(tombstone!.value, null)
  t.same(tombstone!.key, created!.key, 'a key is the same bytes in all its records')
  t.equal(truncated!.key, null)
  t.match(await read(truncated!.value), { op: 't', before: null, after: null })
  t.equal(String(created!.headers!['millrace.version']), '1')
})

t.test('a consumer of JSON with schemas finds rows described', async (t) => {
  const { url } = await openRegistry(t)
  const [created, , , , tombstone] = await written(t, 'connect', url)
  const key = JSON.parse(String(created!.key)) as object
  t.match(key, { schema: { type: 'struct', fields: [{ field: 'id', type: 'int32' }] } })
  t.match(key, { payload: { id: 1 } })
  const { schema, payload } = JSON.parse(String(created!.value)) as Described
  t.match(schema, { type: 'struct', fields: [{ field: 'before' }, { field: 'after' }] })
  t.match(payload, { op: 'c', after: { id: 1, name: 'Ada', tags: '{"a":[1.50,null]}' } })
  t.equal(tombstone!.value, null)
})

t.test('a consumer of JSON Schema finds JSON behind the id', async (t) => {
  const { url } = await openRegistry(t)
  const [created] = await written(t, 'json-schema', url)
  const id = created!.value!.readUInt32BE(1)
  const answer = await (await fetch(`${url}/schemas/ids/${id}`)).json()
  t.match(answer, { schemaType: 'JSON' })
  t.match(JSON.parse(String(created!.value!.subarray(5))), { op: 'c', after: { id: 1 } })
})

t.test('keys may be written in another format than values', async (t) => {
  const { url } = await openRegistry(t)
  const topic = `${prefix}.mixed`
  const topics = { '*.mixed': { 'key.format': 'json', format: 'avro' } }
  const log = openLog(bootstrap, prefix, { topics, registry: { url } })
  const writer = log.writer(`${prefix}.mixed`)
  await writer.resume('s')
  await append(writer, history(topic).slice(0, 1), 'p')
  const [found] = await foreign.read(topic, 1)
  t.equal(String(found!.key), '{"id":1}')
  t.equal(found!.value![0], 0)
  await log.close()
})

t.test('what was written before the format was changed stays readable', async (t) => {
  const { url } = await openRegistry(t)
  const topic = `${prefix}.changed`
  const formats = ['json', 'avro', 'connect'] as const
  for (const [i, format] of formats.entries()) {
    const log = openLog(bootstrap, prefix, { format, registry: { url } })
    const writer = log.writer(`${prefix}.changed`)
    await writer.resume('s')
    await append(writer, [{ ...history(topic)[0]!, version: BigInt(i + 1) }], `p${i}`)
    await log.close()
  }
  const log = openLog(bootstrap, prefix, { registry: { url } })
  const records = await take(log.reader([topic], 'r'), formats.length)
  const [first] = history(topic)
  for (const { key, value, headers } of records) {
    t.equal(textOf(key), textOf(first!.key))
    t.same(parsed(value), parsed(first!.value))
    t.same({ ...headers }, { ...first!.headers })
  }
  await log.close()
})

t.test('dead letters and what is internal stay JSON, whatever a rule says', async (t) => {
  const { url } = await openRegistry(t)
  const topic = `${prefix}.letters`
  const log = openLog(bootstrap, prefix, { format: 'avro', registry: { url } })
  const writer = log.writer(`${prefix}.letters`)
  await writer.resume('s')
  await append(writer, history(topic).slice(0, 1), 'p')
  const [record] = await take(log.reader([topic], 'r'), 1)
  await log.deadLetters(`${prefix}.sink`)([{ record: record!, code: 'c', reason: 'r' }])
  const [letter] = await foreign.read(`${topic}.dlq`, 1)
  t.match(JSON.parse(String(letter!.value)), { op: 'c' })
  await log.close()
})

t.test('a shape that the registry refuses stops the writer before anything of it', async (t) => {
  const { url } = await openRegistry(t)
  const topic = `${prefix}.shapes`
  const log = openLog(bootstrap, prefix, { format: 'avro', registry: { url } })
  const writer = log.writer(`${prefix}.shapes`)
  await writer.resume('s')
  const [first] = history(topic)
  await append(writer, [first!], 'p')
  const columns = orders.columns.map((each) => {
    return each.name === 'name' ? ({ ...each, kind: 'int8', type: 'int8' } as const) : each
  })
  const other = { ...first!, version: 2n, schema: { columns } }
  const value = Buffer.from(String(first!.value).replace('"Ada"', '7'))
  const batch = {
    records: [
      { ...first!, version: 2n },
      { ...other, value },
    ],
    complete: true,
  }
  await t.rejects(writer.write({ ...batch, position: 'p1' as never }), {
    code: 'SCHEMA_INCOMPATIBLE',
    message: /shapes-value does not go with those before/,
    hint: /compatibility of the subject/,
  })
  await writer.resume('s')
  await fetch(`${url}/config/${topic}-value`, {
    ...{ method: 'PUT', body: JSON.stringify({ compatibility: 'NONE' }) },
  })
  await append(writer, [{ ...other, value }], 'p2')
  const records = await take(log.reader([topic], 'r'), 2)
  t.equal(records.length, 2, 'nothing of the refused batch was written')
  t.match(parsed(records[1]!.value), { after: { name: '#7' } })
  await log.close()
})

t.test('a value that a format cannot hold is named, with the key', async (t) => {
  const { url } = await openRegistry(t)
  const topic = `${prefix}.unfit`
  const log = openLog(bootstrap, prefix, { format: 'avro', registry: { url } })
  const writer = log.writer(`${prefix}.unfit`)
  await writer.resume('s')
  const value = Buffer.from(stringifyRow({ ...envelope, op: 'c', after: { ...row, total: 'NaN' } }))
  const record = { ...place(topic, 0), key: Buffer.from('{"id":1}'), value }
  await t.rejects(append(writer, [record], 'p'), {
    code: 'VALUE_UNFIT',
    message: /unfit with the key \{"id":1\} cannot be written as avro: NaN is no decimal/,
  })
  await log.close()
})

interface Described {
  readonly schema: object
  readonly payload: object
}

async function openRegistry(t: Test): Promise<{ readonly url: string }> {
  const server = await serveRegistry({ path: join(t.testdir({}), 'schemas.ndjson') })
  t.teardown(() => server.close())
  return server
}

/** The history of an order, as another program reads it. */
async function written(
  t: Test,
  format: FormatName,
  url: string,
): Promise<readonly ForeignRecord[]> {
  const topic = `${prefix}.foreign.${format}`
  const log = openLog(bootstrap, prefix, { format, registry: { url } })
  t.teardown(() => log.close())
  const writer = log.writer(`${prefix}.foreign.${format}`)
  await writer.resume('s')
  const records = history(topic, 7n)
  await append(writer, records, 'p')
  return foreign.read(topic, records.length)
}

const column = (name: string, kind: Column['kind'], type: string, key = false): Column => ({
  ...{ name, kind, type, key },
})

const orders: Schema = {
  columns: [
    column('id', 'number', 'int4', true),
    column('name', 'string', 'text'),
    column('big', 'int8', 'int8'),
    column('total', 'decimal', 'numeric(10,2)'),
    column('paid', 'boolean', 'bool'),
    column('day', 'date', 'date'),
    column('at', 'timestamptz', 'timestamptz'),
    column('tags', 'json', 'jsonb'),
    column('note', 'string', 'text'),
  ],
}

const row = {
  ...{ id: 1, name: 'Ada', big: 9_007_199_254_740_993n, total: '123.45', paid: true },
  ...{ day: '2024-01-02', at: '2024-01-02T03:04:05.678Z', tags: { a: [1.5, null] }, note: null },
}

const envelope = {
  before: null,
  after: null,
  source: {
    ...{ version: '1', connector: 'postgresql', name: 'db', ts_ms: 1_700_000_000_000 },
    ...{ db: 'shop', schema: 'public', table: 'orders', lsn: 24 },
  },
}

function place(topic: string, i: number) {
  const version = BigInt(i + 1)
  const timestamp = 1_700_000_000_000 + i
  return { topic, version, timestamp, ordinal: 0, endsCommit: true, schema: orders }
}

/** An order that comes, changes in two ways, and goes; then all are truncated. */
function history(topic: string, big = row.big): readonly NewRecord[] {
  const change = (op: string, before: object | null, after: object | null) => {
    const text = stringifyRow({ ...envelope, before, after, op, ts_ms: 1_700_000_000_001 })
    return Buffer.from(text.replaceAll('[1.5,', '[1.50,'))
  }
  const whole = { ...row, big }
  const { note: _, ...hole } = { ...whole, name: 'Eva' }
  const parts: readonly (readonly [Buffer | null, Record<string, string>?])[] = [
    [change('c', null, whole), { own: 'é' }],
    [change('u', whole, hole), { [unchangedHeader]: '["note"]' }],
    [change('d', whole, null)],
    [change('d', { id: 1 }, null)],
    [null],
    [change('t', null, null)],
  ]
  return parts.map(([value, headers], i) => ({
    ...place(topic, i),
    key: i === 5 ? null : Buffer.from('{"id":1}'),
    value,
    ...(headers && { headers }),
  }))
}

function textOf(bytes: Uint8Array | null): string | null {
  return bytes && Buffer.from(bytes).toString()
}

/** Numbers as they are written, so that no digit is lost by comparing. */
function parsed(bytes: Uint8Array | null): unknown {
  if (bytes === null) return null
  return JSON.parse(Buffer.from(bytes).toString(), (_, value, context?: { source: string }) => {
    return typeof value === 'number' && context ? `#${context.source}` : value
  })
}
