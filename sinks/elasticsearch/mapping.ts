/*
 * How the columns of a table are mapped, so that every value that Postgres can hold is taken:
 *
 *   text, varchar, char, citext      text, with a keyword beside it as `<column>.keyword`
 *   other strings (uuid, enum, …)    keyword
 *   int2 int4 int8 oid               short, integer, long, long
 *   float4 float8 numeric            float, double, double (NaN is kept in the document only)
 *   boolean                          boolean
 *   date timestamp timestamptz       date (infinity is kept in the document only); the latter two
 *                                    date_nanos where that is asked for
 *   bytea                            binary
 *   json, jsonb                      kept in the document only
 *   arrays                           as their elements
 */
import type { Column, ColumnKind, Schema } from '../../src/core/schema.ts'

/** One field, as Elasticsearch describes it. */
export type Field = Readonly<Record<string, unknown>>
export type Fields = Readonly<Record<string, Field>>

/** How timestamps are mapped. */
export type Timestamps = 'date' | 'date_nanos'

/** A field for every column. */
export function mapColumns({ columns }: Schema, timestamps: Timestamps = 'date'): Fields {
  return Object.fromEntries(
    columns.map((column) => {
      const field = fieldOf(column)
      const isTime = /^timestamp/.test(column.element ?? column.kind)
      return [column.name, isTime ? { ...field, type: timestamps } : field]
    }),
  )
}

function fieldOf({ kind, type, element }: Column): Field {
  if (kind === 'number') return numberField(type)
  if (kind === 'array') return element === undefined ? stored : fieldOfElement(element, type)
  return fieldOfKind(kind, type)
}

/** An array's type is its element's, with `[]` behind it or `_` before it. */
function fieldOfElement(element: ColumnKind, type: string): Field {
  const elementType = type.replace(/(\[\])+$/, '').replace(/^_/, '')
  return element === 'number' ? numberField(elementType) : fieldOfKind(element, elementType)
}

function fieldOfKind(kind: ColumnKind, type: string): Field {
  switch (kind) {
    case 'int8':
      return { type: 'long' }
    case 'decimal':
      return { type: 'double', ignore_malformed: true }
    case 'boolean':
      return { type: 'boolean' }
    case 'date':
    case 'timestamp':
    case 'timestamptz':
      return { type: 'date', ignore_malformed: true }
    case 'bytes':
      return { type: 'binary' }
    case 'string':
      return isProse(type) ? { type: 'text', fields: { keyword } } : keyword
    case 'time':
      return keyword
    default:
      return stored
  }
}

function numberField(type: string): Field {
  if (type === 'int2') return { type: 'short' }
  if (type === 'int4') return { type: 'integer' }
  if (type === 'oid') return { type: 'long' }
  return { type: type === 'float4' ? 'float' : 'double', ignore_malformed: true }
}

function isProse(type: string): boolean {
  return /^(text|varchar|character varying|bpchar|char|character|citext)\b/.test(type)
}

// Lucene takes 32,766 bytes a term, and a character has up to four: longer ones are not indexed.
const keyword: Field = { type: 'keyword', ignore_above: 8191 }

/** Any JSON at all, returned as it came and not searched. */
const stored: Field = { type: 'object', enabled: false }

/**
 * Whether a mapping holds nothing but what the server makes up by itself when documents arrive for
 * an index that is not there.
 */
export function isMadeUp(mappings: Readonly<Record<string, unknown>>): boolean {
  const { properties = {}, ...rest } = mappings
  return Object.keys(rest).length === 0 && Object.values(properties as Fields).every(isMadeUpField)
}

function isMadeUpField(field: Field): boolean {
  if (field.type === undefined) return isMadeUp(field)
  return madeUpFields.has(JSON.stringify(field))
}

const madeUpFields = new Set([
  ...['long', 'float', 'boolean', 'date'].map((type) => JSON.stringify({ type })),
  '{"type":"text","fields":{"keyword":{"type":"keyword","ignore_above":256}}}',
])
