/*
 * The columns of a table beside the sink's own: one for each column of the rows, of a type that
 * takes every value which the row's column can hold.
 *
 *   int2 int4 int8 oid        smallint, integer, bigint, bigint
 *   numeric, money            numeric
 *   float4 float8             real, double precision
 *   boolean, bytea, uuid      the same
 *   date, time, timetz        the same
 *   timestamp, timestamptz    the same
 *   json, jsonb               jsonb
 *   arrays                    arrays of these; of json and of bytea: jsonb
 *   anything else             text
 *
 * A column never becomes narrower: one that has to take another type becomes the wider number, or
 * text. So it takes whatever an older record of a replay holds, too.
 */
import type { Column, ColumnKind, Schema } from '../../src/core/schema.ts'
import { type Database, quote } from './database.ts'

/** A column of the table, and how its value comes out of the document `doc`. */
export interface Typed {
  readonly name: string
  readonly value: string
}

export const ownColumns = ['_id', '_doc', '_version', '_ordinal', '_key', '_partition'] as const

/** Columns of the server itself; a row's column of such a name is in the document alone. */
const reserved: readonly string[] = [
  ...ownColumns,
  ...['tableoid', 'xmin', 'cmin', 'xmax', 'cmax', 'ctid'],
]

export class Columns {
  readonly #db: Database
  readonly #table: string
  /** As the table is now. */
  readonly #typed = new Map<Schema, readonly Typed[]>()

  constructor(db: Database, table: string) {
    this.#db = db
    this.#table = table
  }

  /** Those of a schema, once they have been added where they are missing, or widened. */
  async of(schema: Schema): Promise<readonly Typed[]> {
    let typed = this.#typed.get(schema)
    if (typed === undefined) {
      typed = await this.#fit(schema.columns.filter(({ name }) => fits(name)))
      this.#typed.set(schema, typed)
    }
    return typed
  }

  async #fit(columns: readonly Column[]): Promise<readonly Typed[]> {
    if (columns.length === 0) return []
    const found = await typesOf(this.#db, this.#table)
    const changes: string[] = []
    const typed = columns.map((column): Typed => {
      const { name } = column
      const actual = found.get(name)
      const type = actual === undefined ? typeOf(column) : wider(actual, typeOf(column))
      if (actual === undefined) changes.push(`ADD COLUMN ${quote(name)} ${type}`)
      else if (actual !== type) {
        const using = type === 'text' ? ` USING _doc ->> ${literal(name)}` : ''
        changes.push(`ALTER COLUMN ${quote(name)} TYPE ${type}${using}`)
      }
      return { name, value: takenOut(name, type) }
    })
    if (changes.length > 0) {
      await this.#db.ask(`ALTER TABLE ${this.#db.name(this.#table)} ${changes.join(', ')}`)
      this.#typed.clear() // Values of other schemas go into columns that may have changed.
    }
    return typed
  }
}

function fits(name: string): boolean {
  return !reserved.includes(name) && Buffer.byteLength(name) < 64
}

async function typesOf(db: Database, table: string): Promise<ReadonlyMap<string, string>> {
  const rows = await db.ask<{ readonly name: string; readonly type: string }>(
    `SELECT attname AS name, format_type(atttypid, NULL) AS type FROM pg_attribute
     WHERE attrelid = $1::regclass AND attnum > 0 AND NOT attisdropped`,
    [db.name(table)],
  )
  return new Map(rows.map(({ name, type }) => [name, type]))
}

/** As the server itself names types. */
function typeOf({ kind, type, element }: Column): string {
  if (kind !== 'array') return scalarOf(kind, type)
  if (element === undefined || element === 'bytes') return 'jsonb'
  const each = scalarOf(element, type.replace(/(\[\])+$/, '').replace(/^_/, ''))
  return each === 'jsonb' ? 'jsonb' : `${each}[]`
}

function scalarOf(kind: ColumnKind, type: string): string {
  if (kind === 'number') return numbers[type] ?? 'double precision'
  if (kind === 'time') return type.startsWith('timetz') ? zoned : 'time without time zone'
  if (kind === 'string' && type === 'uuid') return 'uuid'
  return types[kind]
}

const zoned = 'time with time zone'

const types = {
  int8: 'bigint',
  decimal: 'numeric',
  boolean: 'boolean',
  string: 'text',
  json: 'jsonb',
  bytes: 'bytea',
  date: 'date',
  timestamp: 'timestamp without time zone',
  timestamptz: 'timestamp with time zone',
  array: 'jsonb',
} as const

const numbers: Readonly<Record<string, string>> = {
  int2: 'smallint',
  int4: 'integer',
  oid: 'bigint',
  float4: 'real',
}

const chains = [
  ['smallint', 'integer', 'bigint', 'numeric'],
  ['real', 'double precision'],
]

/** The type that holds what either holds. */
function wider(a: string, b: string): string {
  if (a === b || a === 'jsonb') return a
  if (a.endsWith('[]') && b.endsWith('[]')) {
    const element = wider(a.slice(0, -2), b.slice(0, -2))
    return element === 'text' ? 'text' : `${element}[]`
  }
  const chain = chains.find((types) => types.includes(a) && types.includes(b))
  return chain === undefined ? 'text' : chain[Math.max(chain.indexOf(a), chain.indexOf(b))]!
}

/** SQL for a column's value in the document `doc`. */
function takenOut(name: string, type: string): string {
  const field = literal(name)
  if (type === 'jsonb') return `nullif(doc -> ${field}, 'null')`
  if (type === 'text') return `doc ->> ${field}`
  if (type === 'bytea') return `decode(doc ->> ${field}, 'base64')`
  if (!type.endsWith('[]')) return `(doc ->> ${field})::${type}`
  // The one way from nested JSON arrays to arrays of as many dimensions.
  const alone = `jsonb_build_object('v', doc -> ${field})`
  return `(SELECT v FROM jsonb_to_record(${alone}) AS r(v ${type}))`
}

function literal(text: string): string {
  return `E'${text.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`
}
