import type { ColumnKind } from '../../src/core/schema.ts'
import { arrayEncoding } from './values/arrays.ts'
import { compositeEncoder } from './values/composite.ts'
import { debeziumEncoding, text, unknownEncoding } from './values/debezium.ts'
import type { Encoding, ValueEncoder } from './values/encoder.ts'
import type { ValueModes } from './values/modes.ts'
import { plainEncoding } from './values/plain.ts'
import { multirangeEncoder, rangeEncoder } from './values/ranges.ts'
import { encodeText } from './values/text.ts'
import { type CompositeType, describeType, type TypeInfo } from './values/type-info.ts'
import { unavailableValue } from './values/unavailable.ts'

/** How one column's text becomes JSON. Chosen once per relation, used for every row. */
export interface ColumnEncoder {
  readonly encode: ValueEncoder
  readonly kind: ColumnKind
  /** For `array` only. */
  readonly element?: ColumnKind
  /** The type as a user writes it: `numeric(10,2)`, `public.mood[]`. */
  readonly typeName: string
  /** JSON of the placeholder for an unchanged TOASTed value, in the shape of this column. */
  readonly unavailable: Buffer
}

/** The encoder of a column, or null where the modes leave columns of its type out. */
export function columnEncoder(
  type: TypeInfo,
  typmod: number,
  modes: ValueModes,
): ColumnEncoder | null {
  const encoding =
    modes.format === 'plain' ? plain(type, typmod, modes) : debezium(type, typmod, modes)
  if (encoding === null) return null
  const typeName = describeType(type, typmod)
  return { ...encoding, typeName, unavailable: unavailableValue(typeName, encoding, modes) }
}

function plain(type: TypeInfo, typmod: number, modes: ValueModes): Encoding {
  switch (type.kind) {
    case 'base':
      return plainEncoding(type.name, typmod, modes)
    case 'domain':
      return plain(type.base, type.typmod, modes)
    case 'array':
      return arrayEncoding(plain(type.element, typmod, modes), type.element.delimiter)
    case 'composite':
      return { kind: 'json', encode: plainComposite(type, modes) }
    case 'range':
      return { kind: 'json', encode: rangeEncoder(plain(type.subtype, -1, modes).encode) }
    case 'multirange':
      return plainMultirange(type.range, modes)
    case 'enum':
    case 'pseudo':
      return text
  }
}

function plainComposite({ fields }: CompositeType, modes: ValueModes): ValueEncoder {
  const encoders = fields.map(({ name, type, typmod }) => ({
    name,
    encode: plain(type, typmod, modes).encode,
  }))
  return compositeEncoder(encoders, encodeText)
}

function plainMultirange(range: TypeInfo, modes: ValueModes): Encoding {
  if (range.kind !== 'range') return text
  const { encode } = plain(range.subtype, -1, modes)
  return { kind: 'array', element: 'json', encode: multirangeEncoder(encode) }
}

function debezium(type: TypeInfo, typmod: number, modes: ValueModes): Encoding | null {
  switch (type.kind) {
    case 'base':
      return debeziumEncoding(type.name, typmod, modes)
    case 'domain':
      return debezium(type.base, type.typmod, modes)
    case 'array':
      return debeziumArray(type.element, typmod, modes)
    case 'enum':
      return text
    case 'range':
      return type.namespace === 'pg_catalog' ? text : unknownEncoding(modes)
    case 'composite':
    case 'multirange':
    case 'pseudo':
      return unknownEncoding(modes)
  }
}

/** Debezium knows a domain, but no array of one. */
function debeziumArray(element: TypeInfo, typmod: number, modes: ValueModes): Encoding | null {
  const encoding =
    element.kind === 'domain' ? unknownEncoding(modes) : debezium(element, typmod, modes)
  return encoding && arrayEncoding(encoding, element.delimiter)
}
