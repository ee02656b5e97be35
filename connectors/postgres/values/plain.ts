import { encodeNumberVector } from './arrays.ts'
import { byteaEncoder } from './binary.ts'
import { debeziumEncoding } from './debezium.ts'
import { encodeDecimal } from './decimal.ts'
import type { Encoding } from './encoder.ts'
import { encodeCircle, encodeLine, encodePath, encodePoint, encodePoints } from './geometry.ts'
import { encodeHstore } from './hstore.ts'
import { encodeInterval } from './interval.ts'
import { encodeJson } from './json.ts'
import type { ValueModes } from './modes.ts'
import { encodeMoney } from './money.ts'
import { encodeBoolean, encodeFloat, encodeInteger } from './numbers.ts'
import { encodePostgis } from './postgis.ts'
import {
  encodeDate,
  encodeTime,
  encodeTimestamp,
  encodeTimestampWithZone,
  encodeTimeWithZone,
} from './temporal.ts'
import { encodeBareText, encodeText } from './text.ts'
import { encodeSparseVector } from './vector.ts'

/** millrace's own look of a base type; a type that is not listed is its text in a string. */
export function plainEncoding(typeName: string, typmod: number, modes: ValueModes): Encoding {
  const other = isOtherwise(typeName, modes) ? debeziumEncoding(typeName, typmod, modes) : null
  return other ?? encodings.get(typeName) ?? text
}

/** Whether a mode asks for another look than that of the format. */
function isOtherwise(typeName: string, modes: ValueModes): boolean {
  switch (typeName) {
    case 'numeric':
      return modes.decimal !== 'string'
    case 'money':
      return modes.decimal !== 'string' || modes.moneyFractionDigits !== 2
    case 'date':
    case 'time':
    case 'timetz':
    case 'timestamp':
    case 'timestamptz':
      return modes.timePrecision !== 'isostring'
    case 'interval':
      return modes.interval !== 'string'
    case 'bytea':
      return modes.binary !== 'bytes'
    case 'hstore':
      return modes.hstore !== 'map'
    default:
      return false
  }
}

const text: Encoding = { kind: 'string', encode: encodeText }
const bare: Encoding = { kind: 'string', encode: encodeBareText }
const number: Encoding = { kind: 'number', encode: encodeInteger }
const float: Encoding = { kind: 'number', encode: encodeFloat }
const json: Encoding = { kind: 'json', encode: encodeJson }
const points: Encoding = { kind: 'json', encode: encodePoints }
const postgis: Encoding = { kind: 'json', encode: encodePostgis }
const numbers: Encoding = { kind: 'array', element: 'number', encode: encodeNumberVector }

const encodings: ReadonlyMap<string, Encoding> = new Map<string, Encoding>([
  ['bool', { kind: 'boolean', encode: encodeBoolean }],
  ['int2', number],
  ['int4', number],
  ['oid', number],
  ['int8', { kind: 'int8', encode: encodeInteger }],
  ['float4', float],
  ['float8', float],
  ['numeric', { kind: 'decimal', encode: encodeDecimal }],
  ['money', { kind: 'decimal', encode: encodeMoney }],
  ['date', { kind: 'date', encode: encodeDate }],
  ['time', { kind: 'time', encode: encodeTime }],
  ['timetz', { kind: 'time', encode: encodeTimeWithZone }],
  ['timestamp', { kind: 'timestamp', encode: encodeTimestamp }],
  ['timestamptz', { kind: 'timestamptz', encode: encodeTimestampWithZone }],
  ['interval', { kind: 'string', encode: encodeInterval }],
  ['bytea', { kind: 'bytes', encode: byteaEncoder('bytes') }],
  ['json', json],
  ['jsonb', json],
  ['hstore', { kind: 'json', encode: encodeHstore }],
  ['uuid', bare],
  ['bit', bare],
  ['varbit', bare],
  ['inet', bare],
  ['cidr', bare],
  ['macaddr', bare],
  ['macaddr8', bare],
  ['int2vector', numbers],
  ['oidvector', numbers],
  ['point', { kind: 'json', encode: encodePoint }],
  ['line', { kind: 'json', encode: encodeLine }],
  ['circle', { kind: 'json', encode: encodeCircle }],
  ['lseg', points],
  ['box', points],
  ['polygon', points],
  ['path', { kind: 'json', encode: encodePath }],
  ['geometry', postgis],
  ['geography', postgis],
  ['vector', { kind: 'array', element: 'number', encode: encodeInteger }],
  ['halfvec', { kind: 'array', element: 'number', encode: encodeInteger }],
  ['sparsevec', { kind: 'json', encode: encodeSparseVector }],
])
