import type { Json } from '../../core/json.ts'
import { memberTexts } from '../../core/json-scan.ts'
import { stringifyRow } from '../../core/row.ts'
import type { Column, ColumnKind, Schema } from '../../core/schema.ts'

/** A member of a struct in Kafka Connect's schemas. */
export interface ConnectField {
  readonly field?: string
  readonly type: string
  readonly optional: boolean
  readonly name?: string
  readonly items?: ConnectField
  readonly fields?: readonly ConnectField[]
}

const connectTypes: Readonly<Record<Exclude<ColumnKind, 'array' | 'number'>, string>> = {
  ...{ int8: 'int64', boolean: 'boolean', bytes: 'bytes' },
  ...{ string: 'string', decimal: 'string', json: 'string' },
  ...{ date: 'string', time: 'string', timestamp: 'string', timestamptz: 'string' },
}

/** What the text of a kind means, in Debezium's names. */
const connectNames: Partial<Record<ColumnKind, string>> = {
  json: 'io.debezium.data.Json',
  date: 'io.debezium.time.IsoDate',
  time: 'io.debezium.time.IsoTime',
  timestamp: 'io.debezium.time.IsoTimestamp',
  timestamptz: 'io.debezium.time.ZonedTimestamp',
}

export function connectField(column: Column, optional = !column.key): ConnectField {
  return { field: column.name, ...connectType(column), optional }
}

function connectType({
  kind,
  type,
  element,
}: Omit<Column, 'name' | 'key'>): Omit<ConnectField, 'field' | 'optional'> {
  if (kind === 'array') {
    const items = { ...connectType({ kind: element ?? 'json', type: '' }), optional: true }
    return { type: 'array', items } as const
  }
  const name = connectNames[kind]
  const connect = kind === 'number' ? numberType(type) : connectTypes[kind]
  return { type: connect, ...(name === undefined ? {} : { name }) }
}

function numberType(type: string): string {
  if (/^(int2|int4|date)\b/.test(type)) return 'int32'
  if (/^(oid|time|timestamp|interval|money)/.test(type)) return 'int64'
  return type === 'float4' ? 'float' : 'double'
}

/** Whether rows hold values that Connect knows as text only. */
export function hasNested({ columns }: Schema): boolean {
  return columns.some(isNested)
}

/** A row whose nested JSON is text. What it says stays as it is written, digits and all. */
export function nestedToText(row: string, { columns }: Schema): string {
  const nested = new Map(columns.filter(isNested).map((column) => [column.name, column]))
  const members: string[] = []
  for (const [name, text] of memberTexts(row)) {
    const column = text === 'null' ? undefined : nested.get(name)
    const quoted = column === undefined ? text : quote(text, column)
    members.push(`${JSON.stringify(name)}:${quoted}`)
  }
  return `{${members.join(',')}}`
}

function quote(text: string, { kind }: Column): string {
  if (kind === 'json') return JSON.stringify(text)
  const items = JSON.parse(text) as readonly Json[]
  return JSON.stringify(items.map((item) => (item === null ? null : stringifyRow(item))))
}

function isNested({ kind, element }: Column): boolean {
  return kind === 'json' || (kind === 'array' && element === 'json')
}
