import type { Column, Schema } from '../../../src/core/schema.ts'
import type { Place } from '../transforms/naming.ts'
import type { Shape } from '../transforms/shape.ts'
import type { ValueEncoder } from '../values/encoder.ts'
import type { RelationMessage } from './pgoutput.ts'
import { Slots } from './tuple.ts'

/** One column of a relation, ready to be encoded. */
export interface RelationColumn {
  /** As records name it. */
  readonly name: string
  /** As the database names it. */
  readonly source: string
  /** Place in the server's tuple. */
  readonly slot: number
  /** `"name":` as bytes. */
  readonly label: Buffer
  /** `,"name":`, for columns behind the first. */
  readonly nextLabel: Buffer
  readonly encode: ValueEncoder
  /** JSON of NULL: `null`, unless a mask hides even that. */
  readonly ofNull: Buffer
  /** Stands for an unchanged TOASTed value that was not sent; `null`: the column is left out. */
  readonly placeholder: Buffer | null
  /** Sent with old tuples under replica identity DEFAULT and INDEX. */
  readonly identity: boolean
}

/** A table as it is from one Relation message to the next. */
export interface Relation {
  readonly oid: number
  readonly namespace: string
  readonly name: string
  readonly topic: string
  readonly identity: RelationMessage['identity']
  readonly columns: readonly RelationColumn[]
  /** The record key's columns, in key order; empty: records have no key. */
  readonly key: readonly RelationColumn[]
  /** The key has columns that old tuples do not carry: a delete could not be told. */
  readonly keyNeedsFull: boolean
  readonly schema: Schema
  /** What becomes of its records before they go out. */
  readonly shape: Shape | undefined
  /** Room for the row at hand, and for its old tuple. */
  readonly row: Slots
  readonly old: Slots
}

export interface ColumnPlan {
  readonly column: Column
  /** `null`: no value of this type can be shown. */
  readonly encode: ValueEncoder | null
  readonly ofNull: Buffer
  readonly placeholder: Buffer | null
  /** Whether rows have the column; a key may have it all the same. */
  readonly included: boolean
}

/** What the configuration wants of a table's records. */
export type ShapeOf = (relation: Omit<Relation, 'shape'>) => Shape | undefined

export interface RelationPlan {
  readonly message: RelationMessage
  readonly place: Place
  readonly shapeOf: ShapeOf
  readonly columns: readonly ColumnPlan[]
  /** Names of the key's columns. */
  readonly key: readonly string[]
}

export function makeRelation({ message, place, shapeOf, columns, key }: RelationPlan): Relation {
  const planned = columns.flatMap((plan, slot) => {
    const { encode, ofNull, placeholder, included } = plan
    const { name } = plan.column
    const label = labelOf(name)
    const { identity, name: source } = message.columns[slot]!
    const column = { name, source, slot, label, ofNull, placeholder, identity, included }
    const nextLabel = Buffer.from(`,${label}`)
    return encode === null ? [] : [{ ...column, nextLabel, encode }]
  })
  const keyParts = key.flatMap((name) => planned.filter(({ source }) => source === name))
  const isKey = new Set(keyParts.map(({ name }) => name))
  const included = columns.filter(({ encode, included }) => included && encode !== null)
  const relation = {
    ...{ oid: message.oid, namespace: message.namespace, name: message.name, topic: place.topic },
    identity: message.identity,
    columns: planned.filter((column) => column.included),
    key: withKeyField(keyParts, place.keyField),
    keyNeedsFull: message.identity !== 'f' && keyParts.some(({ identity }) => !identity),
    schema: {
      columns: included.map(({ column }) => ({ ...column, key: isKey.has(column.name) })),
    },
    row: new Slots(message.columns.length),
    old: new Slots(message.columns.length),
  }
  return { ...relation, shape: shapeOf(relation) }
}

/** A key gets a member that is the same for all rows of a table. */
function withKeyField(
  key: readonly RelationColumn[],
  field: Place['keyField'],
): readonly RelationColumn[] {
  const [first] = key
  if (first === undefined || field === undefined) return key
  const value = Buffer.from(JSON.stringify(field.value))
  const label = labelOf(field.name)
  const encode: ValueEncoder = (out) => out.copy(value)
  return [...key, { ...first, name: field.name, label, ofNull: value, encode }]
}

function labelOf(name: string): Buffer {
  return Buffer.from(`${JSON.stringify(name)}:`)
}

/**
 * The columns of the record's key. Deletes and key changes name a row by its replica identity, so
 * the key must consist of what that carries: the primary key under DEFAULT; the index's columns
 * under INDEX, even beside another primary key; under FULL and NOTHING everything or nothing is
 * sent, and the primary key serves.
 */
export function keyColumns(message: RelationMessage, primaryKey: readonly string[]): string[] {
  if (message.identity === 'f' || message.identity === 'n') return [...primaryKey]
  const identity = message.columns.filter((column) => column.identity).map(({ name }) => name)
  if (identity.length === 0) return [...primaryKey]
  const isPrimaryKey =
    identity.length === primaryKey.length && primaryKey.every((name) => identity.includes(name))
  return isPrimaryKey ? [...primaryKey] : identity
}
