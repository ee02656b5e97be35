import type { Client } from 'pg'
import { MillraceError } from '../../../src/core/errors.ts'
import type { Mask } from '../mask.ts'
import type { Selects } from '../selection.ts'
import { primaryKey, uniqueKey } from '../tables.ts'
import type { Naming } from '../transforms/naming.ts'
import type { ValueModes } from '../values/modes.ts'
import { TypeCatalog } from '../values/type-catalog.ts'
import { columnEncoder } from '../values.ts'
import type { RelationColumn, RelationMessage } from './pgoutput.ts'
import {
  type ColumnPlan,
  keyColumns,
  makeRelation,
  type Relation,
  type ShapeOf,
} from './relation.ts'

export interface RelationOptions {
  readonly naming: Naming
  readonly shapeOf: ShapeOf
  readonly modes: ValueModes
  /** Whether rows have the column `schema.table.column`. */
  readonly selectsColumn: Selects
  readonly masks: readonly Mask[]
  readonly selectsTable: Selects
  /** The columns of a table's key where they are configured, by `schema.table`. */
  readonly keyColumns: (table: string) => readonly string[] | undefined
}

const jsonNull = Buffer.from('null')

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

  /** A table that the stream describes: one that is not wanted stays unknown. */
  async meet(message: RelationMessage): Promise<void> {
    if (this.#options.selectsTable(`${message.namespace}.${message.name}`)) {
      await this.define(message)
    }
  }

  /**
   * Takes a description of a table. Its columns are those of the message; only the names of types
   * and of the primary key, which no message carries, are looked up.
   */
  async define(message: RelationMessage): Promise<Relation> {
    const { naming, shapeOf, keyColumns: configured } = this.#options
    const table = `${message.namespace}.${message.name}`
    const sql = await this.#sql()
    await this.#types.load(message.columns.map(({ typeOid }) => typeOid))
    const relation = makeRelation({
      message,
      place: naming.placeOf(message),
      shapeOf,
      columns: message.columns.map((column) => this.#plan(message, column)),
      key: configured(table) ?? keyColumns(message, await this.#primaryKey(sql, message.oid)),
    })
    this.#refuseCollision(relation)
    this.#known.set(message.oid, relation)
    return relation
  }

  #plan(table: RelationMessage, { name, typeOid, typmod }: RelationColumn): ColumnPlan {
    const { modes, selectsColumn, masks, naming } = this.#options
    const path = `${table.namespace}.${table.name}.${name}`
    const encoder = columnEncoder(this.#types.get(typeOid)!, typmod, modes)
    const { kind = 'string', element, typeName = '' } = encoder ?? {}
    const mask = masks.find(({ selects }) => selects(path))
    const masked = encoder && mask?.apply(encoder.encode, lengthOf(typeName))
    const hidden =
      mask === undefined ? { kind, ...(element && { element }) } : { kind: 'string' as const }
    return {
      column: { name: naming.columnOf(table, name), type: typeName, key: false, ...hidden },
      encode: masked?.encode ?? encoder?.encode ?? null,
      ofNull: masked?.ofNull ?? jsonNull,
      placeholder: modes.format === 'debezium' ? (encoder?.unavailable ?? null) : null,
      included: selectsColumn(path),
    }
  }

  /** Debezium takes the first unique index for a key; in plain it must identify every row. */
  async #primaryKey(sql: Client, oid: number): Promise<string[]> {
    const found = await primaryKey(sql, oid)
    const nullable = this.#options.modes.format === 'debezium'
    return found.length > 0 ? found : uniqueKey(sql, oid, nullable)
  }

  #refuseCollision({ oid, topic, namespace, name }: Relation): void {
    if (this.#options.naming.placeOf({ namespace, name }).isShared) return
    for (const other of this.#known.values()) {
      const same = other.namespace === namespace && other.name === name
      if (other.topic !== topic || other.oid === oid || same) continue
      const tables = `${other.namespace}.${other.name} and ${namespace}.${name}`
      throw new MillraceError('TOPIC_COLLISION', `Both ${tables} would go to the topic ${topic}.`)
    }
  }
}

/** The length of `varchar(20)`; other types have none. */
function lengthOf(typeName: string): number | undefined {
  const [, length] = /^(?:varchar|bpchar)\((\d+)\)$/.exec(typeName) ?? []
  return length === undefined ? undefined : Number(length)
}
