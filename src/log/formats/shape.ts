import type { Schema } from '../../core/schema.ts'
import type { SchemaType } from '../registry/client.ts'
import { avroKey, avroValue } from './avro-shape.ts'
import { connectKey, connectValue } from './connect-json.ts'
import type { FormatName } from './format.ts'
import { jsonKeySchema, jsonValueSchema } from './json-schema.ts'

/**
 * What the records of a topic are: changes of rows, rows alone, or JSON of which nothing is known,
 * such as an event, or BEGIN and END of a transaction.
 */
export interface Rows {
  readonly topic: string
  readonly schema: Schema | undefined
  readonly hold: 'changes' | 'rows' | 'documents'
}

/** How the keys or the values of one shape of rows are written. */
export interface Shape {
  /** What a registry shall know of it. */
  readonly registered?: { readonly type: SchemaType; readonly schema: unknown }
  /** Throws RangeError for what the format cannot hold. */
  encode(bytes: Uint8Array): Uint8Array
  /** The columns of a change's old row, if it lacks some and the format would show them as null. */
  sentBefore?(change: Uint8Array): readonly string[] | undefined
}

export type Part = 'key' | 'value'

export function openShape(format: FormatName, part: Part, rows: Rows): Shape {
  switch (format) {
    case 'json':
      return asItIs
    case 'connect':
      return (part === 'key' ? connectKey(rows) : connectValue(rows)) ?? asItIs
    case 'avro':
      return part === 'key' ? avroKey(rows) : avroValue(rows)
    case 'json-schema': {
      const schema = part === 'key' ? jsonKeySchema(rows) : jsonValueSchema(rows)
      return { registered: { type: 'JSON', schema }, encode: asItIs.encode }
    }
  }
}

const asItIs: Shape = { encode: (bytes) => bytes }
