import { encodeNumberVector } from './arrays.ts'
import { byteaEncoder, textAsBytesEncoder } from './binary.ts'
import { encodeBitAsBoolean, encodeBits } from './bits.ts'
import {
  encodeDecimalDouble,
  encodeDecimalString,
  encodeVariablePrecise,
  preciseEncoder,
} from './decimal.ts'
import type { Encoding } from './encoder.ts'
import { encodeCircle, encodeLine, encodePointWkb, shapeEncoder } from './geometry.ts'
import { encodeHstore, encodeHstoreText } from './hstore.ts'
import { encodeIntervalFull, encodeIntervalMicros } from './interval.ts'
import type { ValueModes } from './modes.ts'
import { moneyEncoder } from './money.ts'
import { encodeBoolean, encodeFloat, encodeInteger } from './numbers.ts'
import { encodePostgis } from './postgis.ts'
import { debeziumTemporal } from './temporal-modes.ts'
import { encodeText } from './text.ts'
import { numericScale, secondsPrecision } from './type-info.ts'
import { encodeSparseVector } from './vector.ts'

/** What Debezium makes of a base type; null for a type that it leaves out. */
export function debeziumEncoding(
  typeName: string,
  typmod: number,
  modes: ValueModes,
): Encoding | null {
  const fixed = encodings.get(typeName)
  if (fixed !== undefined) return fixed
  switch (typeName) {
    case 'numeric':
      return numericEncoding(typmod < 0 ? undefined : numericScale(typmod), modes)
    case 'money':
      return moneyEncoding(modes)
    case 'date':
    case 'time':
    case 'timetz':
    case 'timestamp':
    case 'timestamptz':
      return debeziumTemporal(typeName, secondsPrecision(typmod), modes.timePrecision)
    case 'interval':
      return modes.interval === 'string' ? intervalText : intervalMicros
    case 'bytea':
      return { kind: bytesKind(modes), encode: byteaEncoder(modes.binary) }
    case 'bit':
    case 'varbit':
      return typmod === 1 ? bit : bits
    case 'hstore':
      return modes.hstore === 'map' ? hstoreMap : hstoreText
    default:
      return strings.has(typeName) ? text : unknownEncoding(modes)
  }
}

/** Of a type that Debezium does not know: its text as bytes, or nothing at all. */
export function unknownEncoding(modes: ValueModes): Encoding | null {
  if (!modes.includeUnknown) return null
  return { kind: bytesKind(modes), encode: textAsBytesEncoder(modes.binary) }
}

/** Enums and built-in ranges are strings too. */
export const text: Encoding = { kind: 'string', encode: encodeText }

const bit: Encoding = { kind: 'boolean', encode: encodeBitAsBoolean }
const bits: Encoding = { kind: 'bytes', encode: encodeBits }
const number: Encoding = { kind: 'number', encode: encodeInteger }
const float: Encoding = { kind: 'number', encode: encodeFloat }
const numbers: Encoding = { kind: 'array', element: 'number', encode: encodeNumberVector }
const postgis: Encoding = { kind: 'json', encode: encodePostgis }
const intervalText: Encoding = { kind: 'string', encode: encodeIntervalFull }
const intervalMicros: Encoding = { kind: 'int8', encode: encodeIntervalMicros }
const hstoreMap: Encoding = { kind: 'json', encode: encodeHstore }
const hstoreText: Encoding = { kind: 'string', encode: encodeHstoreText }

const encodings: ReadonlyMap<string, Encoding> = new Map<string, Encoding>([
  ['bool', { kind: 'boolean', encode: encodeBoolean }],
  ['int2', number],
  ['int4', number],
  ['oid', number],
  ['int8', { kind: 'int8', encode: encodeInteger }],
  ['float4', float],
  ['float8', float],
  ['int2vector', numbers],
  ['oidvector', numbers],
  ['point', { kind: 'json', encode: encodePointWkb }],
  ['line', { kind: 'json', encode: encodeLine }],
  ['circle', { kind: 'json', encode: encodeCircle }],
  ['lseg', { kind: 'json', encode: shapeEncoder('lseg') }],
  ['box', { kind: 'json', encode: shapeEncoder('box') }],
  ['path', { kind: 'json', encode: shapeEncoder('path') }],
  ['polygon', { kind: 'json', encode: shapeEncoder('polygon') }],
  ['geometry', postgis],
  ['geography', postgis],
  ['vector', { kind: 'array', element: 'number', encode: encodeInteger }],
  ['halfvec', { kind: 'array', element: 'number', encode: encodeInteger }],
  ['sparsevec', { kind: 'json', encode: encodeSparseVector }],
])

const strings: ReadonlySet<string> = new Set(
  [
    'text varchar bpchar char name citext json jsonb xml uuid inet cidr macaddr macaddr8',
    'tsvector ltree isbn isbn13 ismn ismn13 issn issn13 ean13 upc',
  ].flatMap((names) => names.split(' ')),
)

function bytesKind(modes: ValueModes): 'bytes' | 'string' {
  return modes.binary === 'bytes' || modes.binary === 'base64' ? 'bytes' : 'string'
}

function numericEncoding(scale: number | undefined, { decimal }: ValueModes): Encoding {
  if (decimal === 'string') return { kind: 'decimal', encode: encodeDecimalString }
  if (decimal === 'double') return { kind: 'number', encode: encodeDecimalDouble }
  if (scale === undefined) return { kind: 'json', encode: encodeVariablePrecise }
  return { kind: 'bytes', encode: preciseEncoder(scale) }
}

function moneyEncoding(modes: ValueModes): Encoding {
  const { kind, encode } = numericEncoding(modes.moneyFractionDigits, modes)
  return { kind, encode: moneyEncoder(modes.moneyFractionDigits, encode) }
}
