import { equal } from 'node:assert/strict'
import { join } from 'node:path'
import fc from 'fast-check'
import { type Test, test } from 'tap'
import { canonicalJson } from '../../../src/core/canonical-json.ts'
import type { NewRecord } from '../../../src/core/record.ts'
import type { Column, Schema } from '../../../src/core/schema.ts'
import { avroKey, avroValue } from '../../../src/log/formats/avro-shape.ts'
import { Decoder } from '../../../src/log/formats/decoder.ts'
import { Encoder } from '../../../src/log/formats/encoder.ts'
import type { Encoded, FormatName } from '../../../src/log/formats/format.ts'
import { unframe } from '../../../src/log/formats/wire.ts'
import { RegistryClient } from '../../../src/log/registry/client.ts'
import { serveRegistry } from '../../../src/log/registry/server.ts'
import { changes } from './rows.ts'

for (const format of ['json', 'connect', 'avro', 'json-schema'] as const) {
  test(`generated changes come back from ${format} as they were`, async (t) => {
    const registry = await openRegistry(t, 'NONE')
    const property = fc.asyncProperty(changes, async ({ records }) => {
      const codec = openBoth(format, registry)
      for (const record of records) {
        const decoded = await codec.there(record)
        for (const part of ['key', 'value'] as const) {
          const [now, before] = [decoded[part], record[part]].map((bytes) =>
            canonicalJson(Buffer.from(bytes!).toString()),
          )
          equal(now, before)
        }
      }
    })
    await fc.assert(property, { numRuns: Number(process.env.FC_RUNS ?? 60) })
    t.pass('they did')
  })

  test(`rows without an envelope pass through ${format}`, async (t) => {
    const codec = openBoth(format, await openRegistry(t))
    const row = Buffer.from('{"id":1,"name":"a","total":"1.50"}')
    const plain = { ...change('c', null), value: row, headers: { 'millrace.row': 'c' } }
    const tombstone = { ...plain, value: null }
    for (const record of [plain, tombstone]) {
      const back = await codec.there(record)
      t.equal(back.value && Buffer.from(back.value).toString(), record.value?.toString() ?? null)
      t.equal(Buffer.from(back.key!).toString(), '{"id":1}')
    }
  })

  test(`deletes, tombstones, truncates and rows with holes pass through ${format}`, async (t) => {
    const codec = openBoth(format, await openRegistry(t))
    const whole = change('u', { id: 1, name: 'a', total: '1.50' })
    const hole = {
      ...change('u', { id: 1, total: '2.50' }),
      headers: { 'millrace.unchanged': '["name"]' },
    }
    const records = [whole, hole, change('d', null), { ...whole, value: null }, truncate]
    for (const record of records) {
      const back = await codec.there(record)
      for (const part of ['key', 'value'] as const) {
        t.equal(canonical(back[part]), canonical(record[part]))
      }
    }
  })
}

test('Avro has the names that Debezium gives, and logical types', async (t) => {
  const rows = { topic: 'db.public.orders', schema: orders, hold: 'changes' } as const
  const [keySchema, valueSchema] = [avroKey(rows), avroValue(rows)].map(
    ({ registered }) => registered!.schema,
  )
  t.match(keySchema, { name: 'Key', namespace: 'db.public.orders', fields: [{ name: 'id' }] })
  t.match(valueSchema, {
    ...{ name: 'Envelope', namespace: 'db.public.orders' },
    fields: [
      {
        name: 'before',
        type: [
          'null',
          {
            name: 'Value',
            fields: [
              { name: 'id', type: ['null', 'int'] },
              { name: 'name', type: ['null', 'string'], default: null },
              {
                name: 'total',
                type: ['null', { type: 'bytes', logicalType: 'decimal', precision: 10, scale: 2 }],
              },
            ],
          },
        ],
      },
      { name: 'after', type: ['null', 'Value'] },
      { name: 'source', type: { name: 'Source', namespace: 'io.debezium.connector.postgresql' } },
    ],
  })
})

test('a new shape is compared with those before, and nothing of it is written if it does not fit', async (t) => {
  const registry = await openRegistry(t)
  const codec = new Encoder(both('avro'), registry)
  const first = change('c', { id: 1, name: 'a', total: '1.50' })
  await codec.prepare(first)
  const wider = { ...first, schema: { columns: [...orders.columns, column('note', 'string')] } }
  await codec.prepare(wider)
  t.not(unframe(codec.encode(first).value!).id, unframe(codec.encode(wider).value!).id)
  t.equal(unframe(codec.encode(first).key!).id, unframe(codec.encode(wider).key!).id)
  const other = { ...first, schema: { columns: orders.columns.map(asNumber) } }
  await t.rejects(codec.prepare(other), {
    code: 'SCHEMA_INCOMPATIBLE',
    message: /^The new shape of db\.public\.orders-value does not go with those before it: /,
  })
  t.equal(codec.isReady(other), false)
  t.equal(codec.isReady(first), true)
})

test('what a type cannot hold is refused, not changed', async (t) => {
  const codec = new Encoder(both('avro'), await openRegistry(t))
  for (const total of ['1.505', 'NaN']) {
    const record = change('c', { id: 1, name: 'a', total })
    await codec.prepare(record)
    t.throws(() => codec.encode(record), { code: 'VALUE_UNFIT', message: /is no decimal with 2/ })
  }
})

const both = (name: FormatName) => ({ key: name, value: name })

/** Encodes a record and reads it back, as another program would that knows the registry. */
function openBoth(format: FormatName, registry: RegistryClient) {
  const [encoder, decoder] = [
    new Encoder(both(format), registry),
    new Decoder(both(format), registry),
  ]
  return {
    async there(record: NewRecord): Promise<Encoded> {
      if (!encoder.isReady(record)) await encoder.prepare(record)
      const { headers, ...encoded } = encoder.encode(record)
      const written = { ...record, ...encoded, headers: { ...record.headers, ...headers } }
      if (!decoder.isReady(written)) await decoder.learn(written)
      return decoder.decodeOwn(written)
    },
  }
}

async function openRegistry(t: Test, level?: string): Promise<RegistryClient> {
  const server = await serveRegistry({ path: join(t.testdir({}), 'schemas.ndjson') })
  const client = new RegistryClient({ url: server.url })
  if (level !== undefined) {
    await fetch(`${server.url}/config`, {
      ...{ method: 'PUT', body: JSON.stringify({ compatibility: level }) },
    })
  }
  t.teardown(async () => {
    client.close()
    await server.close()
  })
  return client
}

function column(name: string, kind: Column['kind'], type = 'text', key = false): Column {
  return { name, kind, type, key }
}

const orders: Schema = {
  columns: [
    column('id', 'number', 'int4', true),
    column('name', 'string'),
    column('total', 'decimal', 'numeric(10,2)'),
  ],
}

function asNumber(each: Column): Column {
  return each.name === 'name' ? column('name', 'number', 'int4') : each
}

function change(op: string, after: object | null): NewRecord {
  const source = { version: '1', connector: 'postgresql', name: 'db', ts_ms: 1 }
  return {
    topic: 'db.public.orders',
    key: Buffer.from('{"id":1}'),
    value: Buffer.from(JSON.stringify({ before: null, after, source, op, ts_ms: 2 })),
    ...{ timestamp: 1, version: 1n, ordinal: 0, endsCommit: true, schema: orders },
  }
}

const truncate: NewRecord = { ...change('t', null), key: null }

function canonical(bytes: Uint8Array | null): string | null {
  if (bytes === null) return null
  const { transaction: _, ...rest } = JSON.parse(Buffer.from(bytes).toString())
  return canonicalJson(JSON.stringify(rest))
}
