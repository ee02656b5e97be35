import type avro from 'avsc'
import type { Json } from '../../core/json.ts'
import { stringifyRow } from '../../core/row.ts'
import type { Column, ColumnKind } from '../../core/schema.ts'
import { daysOf, microsOf, timeMicrosOf } from './avro-time.ts'

/** How a column's values look in Avro. Throws RangeError for one that its type cannot hold. */
export interface AvroColumn {
  readonly schema: avro.Schema
  readonly toAvro: (value: Json) => unknown
}

const same = { toAvro: (value: Json) => value }
const long: Omit<AvroColumn, 'schema'> = {
  toAvro: (value) => BigInt(value as bigint),
}

/** The Avro type of a column by what its values are, and by its type at the origin. */
export function avroColumn({ kind, type, element }: Omit<Column, 'name' | 'key'>): AvroColumn {
  if (kind === 'array') return arrayColumn(avroColumn({ kind: element ?? 'json', type: '' }))
  if (kind === 'number') return numberColumn(type)
  if (kind === 'decimal') return decimalColumn(type)
  if (kind === 'time' && type.startsWith('timetz')) return textColumn
  return columns[kind]
}

const textColumn: AvroColumn = { schema: 'string', ...same }

const columns: Readonly<Record<Exclude<ColumnKind, 'array' | 'number' | 'decimal'>, AvroColumn>> = {
  int8: { schema: 'long', ...long },
  boolean: { schema: 'boolean', ...same },
  string: textColumn,
  json: {
    schema: { type: 'string', 'connect.name': 'io.debezium.data.Json' } as avro.Schema,
    toAvro: (value) => stringifyRow(value),
  },
  bytes: {
    schema: 'bytes',
    toAvro: (value) => Buffer.from(value as string, 'base64'),
  },
  date: {
    schema: { type: 'int', logicalType: 'date' } as avro.Schema,
    toAvro: (value) => daysOf(value as string),
  },
  time: {
    schema: { type: 'long', logicalType: 'time-micros' } as avro.Schema,
    toAvro: (value) => timeMicrosOf(value as string),
  },
  timestamp: {
    schema: { type: 'long', logicalType: 'local-timestamp-micros' } as avro.Schema,
    toAvro: (value) => microsOf(value as string),
  },
  timestamptz: {
    schema: { type: 'long', logicalType: 'timestamp-micros' } as avro.Schema,
    toAvro: (value) => microsOf(value as string),
  },
}

function arrayColumn(item: AvroColumn): AvroColumn {
  return {
    schema: { type: 'array', items: ['null', item.schema] } as avro.Schema,
    toAvro: (value) => {
      if (!Array.isArray(value)) throw new RangeError(`${stringifyRow(value)} is no array`)
      return value.map((each) => (each === null ? null : item.toAvro(each)))
    },
  }
}

/** Dates and times that come as numbers (`time.precision.mode`) are integers, too. */
function numberColumn(type: string): AvroColumn {
  if (/^(int2|int4|date)\b/.test(type)) return { schema: 'int', ...same }
  if (/^(oid|time|timestamp|interval|money)/.test(type)) {
    return { schema: 'long', ...long }
  }
  if (type === 'float4') return { schema: 'float', toAvro: toDouble }
  return { schema: 'double', toAvro: toDouble }
}

/** What JSON has no number for comes as text. */
function toDouble(value: Json): number {
  return Number(value)
}

/** `numeric(10,2)`: an unscaled integer. Without a scale the digits stay text. */
function decimalColumn(type: string): AvroColumn {
  const [, precision, scale = '0'] = /^numeric\((\d+)(?:,\s*(\d+))?\)$/.exec(type) ?? []
  if (precision === undefined) return textColumn
  const places = Number(scale)
  return {
    schema: {
      ...{ type: 'bytes', logicalType: 'decimal' },
      ...{ precision: Number(precision), scale: places },
    } as avro.Schema,
    toAvro: (value) => bytesOf(unscaled(String(value), places)),
  }
}

function unscaled(text: string, scale: number): bigint {
  const [, sign, whole, fraction = ''] = /^(-?)(\d+)(?:\.(\d+))?$/.exec(text) ?? []
  if (whole === undefined || fraction.length > scale) {
    throw new RangeError(`${text} is no decimal with ${scale} places`)
  }
  return BigInt(`${sign}${whole}${fraction.padEnd(scale, '0')}`)
}

/** Two's complement, as short as it can be, the high byte first. */
function bytesOf(value: bigint): Buffer {
  let bits = 8
  while (BigInt.asIntN(bits, value) !== value) bits += 8
  const hex = BigInt.asUintN(bits, value).toString(16)
  return Buffer.from(hex.padStart(bits / 4, '0'), 'hex')
}
