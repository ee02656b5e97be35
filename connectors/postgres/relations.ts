import type { Client } from 'pg'
import { MillraceError } from '../../src/core/errors.ts'
import type { RelationMessage } from './pgoutput.ts'
import { keyColumns, makeRelation, type Relation } from './relation.ts'
import { primaryKey } from './tables.ts'
import { TypeCatalog } from './type-catalog.ts'
import type { ValueModes } from './values/modes.ts'
import { columnEncoder } from './values.ts'

export interface RelationOptions {
  readonly prefix: string
  readonly modes: ValueModes
}

/** The tables met in one session, by OID. */
export class Relations {
  readonly #options: RelationOptions
  readonly #sql: () => Promise<Client>
  readonly #types: TypeCatalog
  readonly #known = new Map<number, Relation>()

  constructor(options: RelationOptions, sql: () => Promise<Client>) {
    this.#options = options
    this.#sql = sql
    this.#types = new TypeCatalog(async (text, params) => {
      const { rows } = await (await sql()).query(text, [...params])
      return rows
    })
  }

  get known(): ReadonlyMap<number, Relation> {
    return this.#known
  }

  /**
   * Takes a description of a table. Its columns are those of the message; only the names of types and
   * of the primary key, which no message carries, are looked up.
   */
  async define(message: RelationMessage): Promise<Relation> {
    const { prefix, modes } = this.#options
    const sql = await this.#sql()
    await this.#types.load(message.columns.map(({ typeOid }) => typeOid))
    const relation = makeRelation({
      message,
      topic: topicOf(prefix, message),
      columns: message.columns.map(({ name, typeOid, typmod }) => {
        const type = this.#types.get(typeOid)!
        const encoder = columnEncoder(type, typmod, modes)
        const { kind = 'string', element, typeName = '' } = encoder ?? {}
        const column = { name, kind, type: typeName, key: false, ...(element && { element }) }
        return { column, encode: encoder?.encode ?? null }
      }),
      key: keyColumns(message, await primaryKey(sql, message.oid)),
    })
    this.#refuseCollision(relation)
    this.#known.set(message.oid, relation)
    return relation
  }

  #refuseCollision({ oid, topic, namespace, name }: Relation): void {
    for (const other of this.#known.values()) {
      const same = other.namespace === namespace && other.name === name
      if (other.topic !== topic || other.oid === oid || same) continue
      const tables = `${other.namespace}.${other.name} and ${namespace}.${name}`
      throw new MillraceError('TOPIC_COLLISION', `Both ${tables} would go to the topic ${topic}.`)
    }
  }
}

/** `<prefix>.<schema>.<table>`; a character that Kafka allows in no topic becomes `_`. */
export function topicOf(
  prefix: string,
  { namespace, name }: { readonly namespace: string; readonly name: string },
): string {
  return `${prefix}.${namespace}.${name}`.replace(/[^A-Za-z0-9._-]/gu, '_')
}
