/*
 * Records as Debezium's Postgres connector writes them with Connect's JsonConverter, of a table
 *
 *   customers (id int primary key, name text, big bigint, total numeric(10,2), day date,
 *              at timestamp, seen timestamptz, doc jsonb, photo bytea, note text)
 *
 * in the connector's default modes.
 */
export const debeziumTopic = 'dbserver1.public.customers'

const fields = [
  { field: 'id', type: 'int32', optional: false, default: 0 },
  { field: 'name', type: 'string', optional: true },
  { field: 'big', type: 'int64', optional: true },
  {
    ...{ field: 'total', type: 'bytes', optional: true, version: 1 },
    name: 'org.apache.kafka.connect.data.Decimal',
    parameters: { scale: '2', 'connect.decimal.precision': '10' },
  },
  { field: 'day', type: 'int32', optional: true, name: 'io.debezium.time.Date', version: 1 },
  {
    ...{ field: 'at', type: 'int64', optional: true, version: 1 },
    name: 'io.debezium.time.MicroTimestamp',
  },
  {
    ...{ field: 'seen', type: 'string', optional: true, version: 1 },
    name: 'io.debezium.time.ZonedTimestamp',
  },
  { field: 'doc', type: 'string', optional: true, name: 'io.debezium.data.Json', version: 1 },
  { field: 'photo', type: 'bytes', optional: true },
  { field: 'note', type: 'string', optional: true },
]

const value = { type: 'struct', fields, optional: true, name: `${debeziumTopic}.Value` }

const sourceSchema = {
  ...{ type: 'struct', optional: false, field: 'source' },
  name: 'io.debezium.connector.postgresql.Source',
  fields: [
    ...['version', 'connector', 'name'].map((field) => ({
      field,
      type: 'string',
      optional: false,
    })),
    { field: 'ts_ms', type: 'int64', optional: false },
    {
      ...{ field: 'snapshot', type: 'string', optional: true, version: 1, default: 'false' },
      ...{ name: 'io.debezium.data.Enum', parameters: { allowed: 'true,last,false,incremental' } },
    },
    { field: 'db', type: 'string', optional: false },
    ...['sequence', 'schema', 'table'].map((field) => ({ field, type: 'string', optional: true })),
    ...['txId', 'lsn', 'xmin'].map((field) => ({ field, type: 'int64', optional: true })),
  ],
}

const envelopeSchema = {
  ...{ type: 'struct', optional: false, name: `${debeziumTopic}.Envelope`, version: 2 },
  fields: [
    { ...value, field: 'before' },
    { ...value, field: 'after' },
    sourceSchema,
    {
      ...{ field: 'transaction', type: 'struct', optional: true, name: 'event.block', version: 1 },
      fields: [{ field: 'id', type: 'string', optional: false }],
    },
    { field: 'op', type: 'string', optional: false },
    ...['ts_ms', 'ts_us', 'ts_ns'].map((field) => ({ field, type: 'int64', optional: true })),
  ],
}

const keySchema = {
  ...{ type: 'struct', optional: false, name: `${debeziumTopic}.Key` },
  fields: [{ field: 'id', type: 'int32', optional: false, default: 0 }],
}

/** JSON text of integers beyond a double's. */
export const big = '9007199254740993'

export const unavailable = '__debezium_unavailable_value'

/** A row as the converter prints it. */
export function customer(id: number, parts: Readonly<Record<string, unknown>> = {}) {
  return {
    ...{ id, name: `n${id}`, big: 7, total: 'MDk=', day: 19_724, at: 1_704_164_645_678_000 },
    ...{
      seen: '2024-01-02T03:04:05.678Z',
      doc: '{"a": [1.50, null]}',
      photo: 'AQI=',
      note: 'long',
    },
    ...parts,
  }
}

export type Row = ReturnType<typeof customer>

export interface Change {
  readonly op: 'c' | 'u' | 'd' | 'r'
  readonly before?: object | null
  readonly after?: object | null
}

/** Key and value of a change; with `schemas.enable`, or without. */
export function debeziumRecord(id: number, change: Change, hasSchema: boolean) {
  const { op, before = null, after = null } = change
  const source = {
    ...{ version: '3.0.0.Final', connector: 'postgresql', name: 'dbserver1' },
    ...{ ts_ms: 1_704_164_645_000, snapshot: op === 'r' ? 'true' : 'false', db: 'shop' },
    ...{
      sequence: '[null,"24"]',
      schema: 'public',
      table: 'customers',
      txId: 7,
      lsn: 24,
      xmin: null,
    },
  }
  const times = { ts_ms: 1_704_164_645_700, ts_us: 1_704_164_645_700_001, ts_ns: 170 }
  const payload = { before, after, source, transaction: null, op, ...times }
  const text = (schema: object, each: object) => {
    return JSON.stringify(hasSchema ? { schema, payload: each } : each).replaceAll('"BIG"', big)
  }
  return { key: text(keySchema, { id }), value: text(envelopeSchema, payload) }
}

export function debeziumTombstone(id: number, hasSchema: boolean) {
  const { key } = debeziumRecord(id, { op: 'd' }, hasSchema)
  return { key, value: null }
}
