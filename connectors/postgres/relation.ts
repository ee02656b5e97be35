import type { Column, Schema } from '../../src/core/schema.ts'
import type { RelationMessage } from './pgoutput.ts'
import { Slots } from './tuple.ts'
import type { ValueEncoder } from './values/encoder.ts'

/** One column of a relation, ready to be encoded. */
export interface RelationColumn {
  readonly name: string
  /** Place in the server's tuple. */
  readonly slot: number
  /** `"name":` as bytes. */
  readonly label: Buffer
  readonly encode: ValueEncoder
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
  readonly schema: Schema
  /** Room for the row at hand, and for its old tuple. */
  readonly row: Slots
  readonly old: Slots
}

export interface ColumnPlan {
  readonly column: Column
  /** `null`: the column is left out of the rows. */
  readonly encode: ValueEncoder | null
}

export interface RelationPlan {
  readonly message: RelationMessage
  readonly topic: string
  readonly columns: readonly ColumnPlan[]
  /** Names of the key's columns. */
  readonly key: readonly string[]
}

export function makeRelation({ message, topic, columns, key }: RelationPlan): Relation {
  const planned = columns.flatMap(({ column, encode }, slot) => {
    const label = Buffer.from(`${JSON.stringify(column.name)}:`)
    const identity = message.columns[slot]!.identity
    return encode === null ? [] : [{ name: column.name, slot, label, encode, identity }]
  })
  const included = columns.filter(({ encode }) => encode !== null)
  const isKey = new Set(key)
  return {
    ...{ oid: message.oid, namespace: message.namespace, name: message.name, topic },
    identity: message.identity,
    columns: planned,
    key: key.flatMap((name) => planned.filter((column) => column.name === name)),
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
  const isPrimaryKey =
    identity.length === primaryKey.length && primaryKey.every((name) => identity.includes(name))
  return isPrimaryKey ? [...primaryKey] : identity
}
