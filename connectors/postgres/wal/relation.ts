import type { Column, Schema } from '../../../src/core/schema.ts'
import type { ValueEncoder } from '../values/encoder.ts'
import type { RelationMessage } from './pgoutput.ts'
import { Slots } from './tuple.ts'

/** One column of a relation, ready to be encoded. */
export interface RelationColumn {
  readonly name: string
  /** Place in the server's tuple. */
  readonly slot: number
  /** `"name":` as bytes. */
  readonly label: Buffer
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

export interface RelationPlan {
  readonly message: RelationMessage
  readonly topic: string
  readonly columns: readonly ColumnPlan[]
  /** Names of the key's columns. */
  readonly key: readonly string[]
}

export function makeRelation({ message, topic, columns, key }: RelationPlan): Relation {
  const planned = columns.flatMap((plan, slot) => {
    const { encode, ofNull, placeholder, included } = plan
    const { name } = plan.column
    const label = Buffer.from(`${JSON.stringify(name)}:`)
    const { identity } = message.columns[slot]!
    const column = { name, slot, label, ofNull, placeholder, identity, included }
    return encode === null ? [] : [{ ...column, encode }]
  })
  const included = columns.filter(({ encode, included }) => included && encode !== null)
  const isKey = new Set(key)
  const keyParts = key.flatMap((name) => planned.filter((column) => column.name === name))
  return {
    ...{ oid: message.oid, namespace: message.namespace, name: message.name, topic },
    identity: message.identity,
    columns: planned.filter((column) => column.included),
    key: keyParts,
    keyNeedsFull: message.identity !== 'f' && keyParts.some(({ identity }) => !identity),
    schema: {
      columns: included.map(({ column }) => ({ ...column, key: isKey.has(column.name) })),
    },
    row: new Slots(message.columns.length),
    old: new Slots(message.columns.length),
  }
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
