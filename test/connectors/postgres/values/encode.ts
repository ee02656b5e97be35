import { builtinTypes } from '../../../../connectors/postgres/values/builtin-types.ts'
import {
  debeziumModes,
  plainModes,
  type ValueModes,
} from '../../../../connectors/postgres/values/modes.ts'
import type { TypeInfo } from '../../../../connectors/postgres/values/type-info.ts'
import type { ColumnEncoder } from '../../../../connectors/postgres/values.ts'
import { columnEncoder } from '../../../../connectors/postgres/values.ts'
import { ByteWriter } from '../../../../src/core/byte-writer.ts'

/** A built-in type by name; an array as `int4[]`; a type of an extension as `+hstore`. */
export function typeNamed(name: string): TypeInfo {
  if (name.startsWith('+')) return extensionType(name.slice(1))
  const catalogName = name.endsWith('[]') ? `_${name.slice(0, -2)}` : name
  for (const type of builtinTypes.values()) if (type.name === catalogName) return type
  throw new Error(`no built-in type ${name}`)
}

function extensionType(name: string): TypeInfo {
  const named = { oid: 90_000, namespace: 'public', delimiter: ',' }
  if (!name.endsWith('[]')) return { ...named, name, kind: 'base' }
  return { ...named, name: `_${name}`, kind: 'array', element: extensionType(name.slice(0, -2)) }
}

/** A type modifier as the catalog stores it. */
export function numeric(precision: number, scale: number): number {
  return ((precision << 16) | (scale & 0x7ff)) + 4
}

/** The JSON that the encoder writes for the server's text, with foreign bytes on both sides. */
export function encodeWith(encoder: ColumnEncoder, text: string): string {
  const before = Buffer.from('"{,')
  const value = Buffer.from(text)
  const input = Buffer.concat([before, value, Buffer.from('"}),\\')])
  const out = new ByteWriter(8)
  out.begin()
  encoder.encode(out, input, before.length, before.length + value.length)
  return out.take().toString()
}

export function encodePlain(type: TypeInfo | string, text: string, typmod = -1): string {
  const info = typeof type === 'string' ? typeNamed(type) : type
  return encodeWith(columnEncoder(info, typmod, plainModes)!, text)
}

export function encodeDebezium(
  type: TypeInfo | string,
  text: string,
  options: Partial<ValueModes> & { readonly typmod?: number } = {},
): string {
  const { typmod = -1, ...modes } = options
  const info = typeof type === 'string' ? typeNamed(type) : type
  return encodeWith(columnEncoder(info, typmod, { ...debeziumModes, ...modes })!, text)
}
