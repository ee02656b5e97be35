import type { Column, ColumnKind } from '../../core/schema.ts'
import type { Rows } from './shape.ts'

/*
 * JSON Schema (draft 7) of keys and changes. The values are the JSON of the log as it is.
 */

type JsonSchema = Readonly<Record<string, unknown>>

const types: Readonly<Record<Exclude<ColumnKind, 'array' | 'number'>, JsonSchema>> = {
  int8: { type: 'integer', 'connect.type': 'int64' },
  decimal: { type: 'string', format: 'decimal' },
  boolean: { type: 'boolean' },
  string: { type: 'string' },
  json: {},
  bytes: { type: 'string', contentEncoding: 'base64' },
  date: { type: 'string', format: 'date' },
  time: { type: 'string', format: 'time' },
  timestamp: { type: 'string' },
  timestamptz: { type: 'string', format: 'date-time' },
}

/** The key's schema. Without columns nothing is said of it. */
export function jsonKeySchema({ topic, schema }: Rows): JsonSchema {
  const keys = schema?.columns.filter(({ key }) => key) ?? []
  return { ...draft, title: `${topic}.Key`, ...(keys.length === 0 ? {} : rowSchema(keys, true)) }
}

export function jsonValueSchema({ topic, schema, hold }: Rows): JsonSchema {
  if (hold === 'documents') return { ...draft, title: `${topic}.Value` }
  const row: JsonSchema =
    schema === undefined ? { type: 'object' } : rowSchema(schema.columns, false)
  if (hold === 'rows') return { ...draft, title: `${topic}.Value`, ...row }
  const state = { oneOf: [{ type: 'null' }, row] }
  return {
    ...draft,
    ...{ title: `${topic}.Envelope`, type: 'object', required: ['op'] },
    properties: {
      ...{ before: state, after: state, source: { type: 'object' }, op: { type: 'string' } },
      ...{ ts_ms: { type: 'integer' }, ts_us: { type: 'integer' }, ts_ns: { type: 'integer' } },
    },
  }
}

const draft = { $schema: 'http://json-schema.org/draft-07/schema#' }

function rowSchema(columns: readonly Column[], isKey: boolean): JsonSchema {
  const properties = columns.map((column) => {
    const type = columnSchema(column)
    return [column.name, isKey ? type : { oneOf: [{ type: 'null' }, type] }] as const
  })
  return { type: 'object', properties: Object.fromEntries(properties) }
}

function columnSchema({ kind, type, element }: Omit<Column, 'name' | 'key'>): JsonSchema {
  if (kind === 'array') {
    const items = columnSchema({ kind: element ?? 'json', type: '' })
    return { type: 'array', items: { oneOf: [{ type: 'null' }, items] } }
  }
  if (kind !== 'number') return types[kind]
  return /^(int2|int4|oid|date|time|timestamp|interval|money)/.test(type)
    ? { type: 'integer' }
    : { type: ['number', 'string'] } // NaN and the infinities come as text.
}
