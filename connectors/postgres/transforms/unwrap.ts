import { readEnvelope } from '../../../src/core/envelope.ts'
import { rowHeader } from '../../../src/core/record.ts'
import type { Schema } from '../../../src/core/schema.ts'
import type { OpenRecord } from '../wal/envelope-writer.ts'
import type { UnwrapOptions } from './options.ts'
import type { Shape } from './shape.ts'

const deletedName = '__deleted'

/**
 * The row alone. A header keeps the operation, by which readers know that the value is no envelope.
 * A truncate, which has no row, keeps its envelope.
 */
export function unwrapping(options: UnwrapOptions, schema: Schema): Shape {
  const mode = options['delete.tombstone.handling.mode']
  const deletedColumn = { name: deletedName, type: 'text', kind: 'string', key: false } as const
  const shown = mode === 'rewrite' ? { columns: [...schema.columns, deletedColumn] } : schema
  const asRow = (record: OpenRecord, row: Uint8Array, op: string, isDeleted: boolean) => {
    const value = mode === 'rewrite' ? withMember(row, deletedName, `"${isDeleted}"`) : row
    const headers = { ...record.headers, [rowHeader]: op }
    return { ...record, value, headers, schema: shown }
  }
  return (record) => {
    if (record.value === null) return undefined // What the delete before it has become is enough.
    const { op, before, after } = readEnvelope(record.value)
    if (op === 't') return { ...record, headers: { ...record.headers, [rowHeader]: op } }
    if (op !== 'd') return asRow(record, after!, op, false)
    if (mode === 'rewrite') return before === null ? undefined : asRow(record, before, 'u', true)
    return mode === 'drop' || record.key === null ? undefined : { ...record, value: null }
  }
}

/** An object with a member more, behind the others. */
function withMember(object: Uint8Array, name: string, value: string): Buffer {
  const comma = object.length > 2 ? ',' : ''
  const member = Buffer.from(`${comma}${JSON.stringify(name)}:${value}}`)
  return Buffer.concat([object.subarray(0, -1), member])
}
