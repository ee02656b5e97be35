import fc from 'fast-check'
import type { Json } from '../../../src/core/json.ts'
import type { NewRecord } from '../../../src/core/record.ts'
import { stringifyRow } from '../../../src/core/row.ts'
import type { Column, Schema } from '../../../src/core/schema.ts'

/** A column with values as the Postgres source writes them. */
interface Made {
  readonly column: Omit<Column, 'name' | 'key'>
  readonly value: fc.Arbitrary<Json>
}

const pad = (value: number, width = 2) => String(value).padStart(width, '0')
const year = fc.oneof(
  { weight: 8, arbitrary: fc.integer({ min: 0, max: 9999 }).map((year) => pad(year, 4)) },
  fc.integer({ min: 10_000, max: 290_000 }).map((year) => `+${year}`),
  fc.integer({ min: 1, max: 4712 }).map((year) => `-${pad(year, 4)}`),
)
const day = fc
  .tuple(year, fc.integer({ min: 1, max: 12 }), fc.integer({ min: 1, max: 28 }))
  .map(([year, month, day]) => `${year}-${pad(month)}-${pad(day)}`)
const fraction = fc
  .option(fc.integer({ min: 1, max: 999_999 }), { nil: 0 })
  .map((micros) => (micros === 0 ? '' : `.${pad(micros, 6)}`.replace(/0+$/, '')))
const clock = fc
  .tuple(fc.nat(23), fc.nat(59), fc.nat(59), fraction)
  .map(([hours, minutes, seconds, rest]) => `${pad(hours)}:${pad(minutes)}:${pad(seconds)}${rest}`)
const infinite = fc.constantFrom('infinity', '-infinity')
const moment = fc.tuple(day, clock).map(([day, clock]) => `${day}T${clock}`)
const text = fc.string({ unit: 'grapheme' })
const json = fc.jsonValue().map((value) => JSON.parse(JSON.stringify(value)) as Json)

const made: readonly Made[] = [
  { column: { kind: 'number', type: 'int4' }, value: fc.integer() },
  { column: { kind: 'number', type: 'int2' }, value: fc.integer({ min: -32_768, max: 32_767 }) },
  { column: { kind: 'number', type: 'oid' }, value: fc.integer({ min: 0, max: 2 ** 32 - 1 }) },
  {
    column: { kind: 'number', type: 'float8' },
    value: fc.oneof(fc.double({ noNaN: true, noDefaultInfinity: true }), fc.constant('NaN')),
  },
  {
    column: { kind: 'number', type: 'float4' },
    value: fc.integer({ min: -9_999_999, max: 9_999_999 }).map((n) => n / 1000),
  },
  { column: { kind: 'int8', type: 'int8' }, value: fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n) },
  {
    column: { kind: 'decimal', type: 'numeric(20,3)' },
    value: fc.bigInt(-(10n ** 19n), 10n ** 19n).map(decimal),
  },
  {
    column: { kind: 'decimal', type: 'numeric' },
    value: fc.oneof(fc.bigInt().map(String), fc.constantFrom('NaN', '1.50', 'Infinity')),
  },
  { column: { kind: 'boolean', type: 'bool' }, value: fc.boolean() },
  { column: { kind: 'string', type: 'text' }, value: text },
  { column: { kind: 'json', type: 'jsonb' }, value: json },
  {
    column: { kind: 'bytes', type: 'bytea' },
    value: fc.uint8Array().map((bytes) => Buffer.from(bytes).toString('base64')),
  },
  { column: { kind: 'date', type: 'date' }, value: fc.oneof(day, infinite) },
  { column: { kind: 'time', type: 'time' }, value: clock },
  { column: { kind: 'timestamp', type: 'timestamp' }, value: fc.oneof(moment, infinite) },
  {
    column: { kind: 'timestamptz', type: 'timestamptz' },
    value: fc.oneof(
      moment.map((moment) => `${moment}Z`),
      infinite,
    ),
  },
  {
    column: { kind: 'array', type: '_int8', element: 'int8' },
    value: fc.array(fc.option(fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n))),
  },
  { column: { kind: 'array', type: '_text', element: 'string' }, value: fc.array(fc.option(text)) },
  { column: { kind: 'array', type: '_jsonb', element: 'json' }, value: fc.array(fc.option(json)) },
]

function decimal(unscaled: bigint): string {
  const digits = String(unscaled < 0n ? -unscaled : unscaled).padStart(4, '0')
  return `${unscaled < 0n ? '-' : ''}${digits.slice(0, -3)}.${digits.slice(-3)}`
}

const names = fc.uniqueArray(fc.string({ minLength: 1, maxLength: 8, unit: 'grapheme' }), {
  minLength: 3,
  maxLength: 8,
  selector: (name) => (name === '__proto__' ? 'proto' : name),
})

/** A table's schema, and changes of it: the first column is its key. */
export const changes: fc.Arbitrary<{
  readonly schema: Schema
  readonly records: readonly NewRecord[]
}> = names
  .filter((names) => names.every((name) => !/^\d+$|^__proto__$/.test(name)))
  .chain((names) =>
    fc.tuple(
      fc.constant(names),
      fc.array(fc.nat(made.length - 1), { minLength: names.length, maxLength: names.length }),
    ),
  )
  .chain(([names, kinds]) => {
    const columns = names.map((name, i) => {
      const { column } = i === 0 ? made[0]! : made[kinds[i]!]!
      return { ...column, name, key: i === 0 }
    })
    const row = fc
      .tuple(
        ...columns.map((column, i) => {
          const { value } = i === 0 ? made[0]! : made[kinds[i]!]!
          return column.key ? value : fc.option(value)
        }),
      )
      .map((values) => Object.fromEntries(names.map((name, i) => [name, values[i]!])))
    const schema = { columns }
    return fc.record({
      schema: fc.constant(schema),
      records: fc
        .array(fc.tuple(fc.option(row), row, fc.boolean()), { minLength: 1, maxLength: 4 })
        .map((some) =>
          some.map(([whole, after, isPart], i) => {
            const [key] = names as [string]
            const before = isPart && whole !== null ? { [key]: whole[key]! } : whole
            return record(schema, { before, after, i })
          }),
        ),
    })
  })

type Row = Readonly<Record<string, Json>>

function record(
  schema: Schema,
  { before, after, i }: { readonly before: Row | null; readonly after: Row; readonly i: number },
): NewRecord {
  const source = {
    ...{ version: '1', connector: 'postgresql', name: 'db', ts_ms: 1_700_000_000_000 },
    ...{ snapshot: 'false', db: 'shop', sequence: '["1","2"]', schema: 'public', table: 'orders' },
    ...{ ts_us: 1_700_000_000_000_000, txId: 7, lsn: 9_007_199_254_740_991n },
  }
  const op = before === null ? 'c' : 'u'
  const key = { [schema.columns[0]!.name]: after[schema.columns[0]!.name]! }
  return {
    topic: 'db.public.orders',
    key: Buffer.from(stringifyRow(key)),
    value: Buffer.from(stringifyRow({ before, after, source, op, ts_ms: 1_700_000_000_001 })),
    timestamp: 1_700_000_000_000,
    version: BigInt(i + 1),
    ordinal: 0,
    endsCommit: true,
    schema,
  }
}
