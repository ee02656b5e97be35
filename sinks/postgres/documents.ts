import { crc32 } from 'node:zlib'
import type { Candidate, Held } from '../../src/core/fold.ts'
import type { Schema } from '../../src/core/schema.ts'
import type { Refusal } from '../../src/core/sink.ts'
import { Columns, ownColumns, type Typed } from './columns.ts'
import { type Database, quote } from './database.ts'
import { faultOf, isDataFault, sqlState } from './faults.ts'

/** A state on its way into the table. */
export interface Row {
  readonly candidate: Candidate
  /** The columns of its record; absent where the topic does not tell them. */
  readonly schema: Schema | undefined
}

/** How long the version of a deleted row is kept: far above any replay. */
const keepDeleted = '7 days'

/** Reads and writes the rows of one partition, inside transactions of others. */
export class Documents {
  readonly #db: Database
  readonly #live: string
  readonly #dead: string
  readonly #partition: number
  readonly #columns: Columns

  constructor(db: Database, table: string, partition: number) {
    this.#db = db
    this.#columns = new Columns(db, table)
    this.#live = db.name(table)
    this.#dead = db.name(`${table}__deleted`)
    this.#partition = partition
  }

  /** What is held of some ids. */
  async find(ids: readonly string[]): Promise<ReadonlyMap<string, Held>> {
    const rows = await this.#db.ask<Stored>(
      `SELECT _id, _version, _ordinal, _key, false AS deleted FROM ${this.#live}
       WHERE _id = ANY($1)
       UNION ALL SELECT _id, _version, _ordinal, _key, true FROM ${this.#dead} WHERE _id = ANY($1)`,
      [ids],
    )
    return new Map(rows.map((row) => [row._id, heldOf(row)]))
  }

  /** Writes rows, each of another id. What cannot be stored is told, and the rest is written. */
  async put(rows: readonly Row[], refuse: (row: Row, refusal: Refusal) => void): Promise<void> {
    if (rows.length === 0) return
    // Outside of what may be undone.
    for (const schema of new Set(rows.map(({ schema }) => schema))) {
      if (schema !== undefined) await this.#columns.of(schema)
    }
    await this.#db.ask('SAVEPOINT rows')
    try {
      await this.#upsert(rows.filter(({ candidate }) => candidate.body !== null))
      await this.#bury(rows.filter(({ candidate }) => candidate.body === null))
      await this.#db.ask('RELEASE rows')
    } catch (error) {
      if (!isDataFault(error)) throw faultOf(error, this.#db.place)
      await this.#db.ask('ROLLBACK TO rows')
      if (rows.length === 1) return refuse(rows[0]!, refusalOf(error))
      // Halves, until what is at fault stands alone.
      const middle = rows.length >> 1
      await this.put(rows.slice(0, middle), refuse)
      await this.put(rows.slice(middle), refuse)
    }
  }

  /** Forgets deletes that nothing in flight can be older than. */
  async expire(): Promise<void> {
    await this.#db.ask(`DELETE FROM ${this.#dead} WHERE _at < now() - interval '${keepDeleted}'`)
  }

  /** Forgets everything of this partition. */
  async clear(): Promise<void> {
    for (const table of [this.#live, this.#dead]) {
      await this.#db.ask(`DELETE FROM ${table} WHERE _partition = $1`, [this.#partition])
    }
  }

  async #upsert(rows: readonly Row[]): Promise<void> {
    for (const [schema, group] of Map.groupBy(rows, ({ schema }) => schema)) {
      const typed = schema === undefined ? [] : await this.#columns.of(schema)
      const names = [...ownColumns, ...typed.map(({ name }) => quote(name))]
      const values = ['id', 'doc', 'version', 'ordinal', 'key', '$6::int', ...typed.map(extraction)]
      const updates = names.slice(1).map((name) => `${name} = excluded.${name}`)
      await this.#db.askRaw(
        `INSERT INTO ${this.#live} (${names.join(', ')})
         SELECT ${values.join(', ')}
         FROM unnest($1::text[], $2::jsonb[], $3::bigint[], $4::bigint[], $5::bigint[])
           AS r(id, doc, version, ordinal, key)
         ON CONFLICT (_id) DO UPDATE SET ${updates.join(', ')}`,
        parameters(group, this.#partition, true),
      )
    }
    const ids = rows.map(({ candidate }) => candidate.id)
    if (ids.length > 0)
      await this.#db.askRaw(`DELETE FROM ${this.#dead} WHERE _id = ANY($1)`, [ids])
  }

  async #bury(rows: readonly Row[]): Promise<void> {
    if (rows.length === 0) return
    const ids = rows.map(({ candidate }) => candidate.id)
    await this.#db.askRaw(`DELETE FROM ${this.#live} WHERE _id = ANY($1)`, [ids])
    await this.#db.askRaw(
      `INSERT INTO ${this.#dead} (_id, _version, _ordinal, _key, _partition)
       SELECT id, version, ordinal, key, $5::int
       FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::bigint[])
         AS r(id, version, ordinal, key)
       ON CONFLICT (_id) DO UPDATE SET _version = excluded._version, _at = now(),
         _ordinal = excluded._ordinal, _key = excluded._key, _partition = excluded._partition`,
      parameters(rows, this.#partition, false),
    )
  }
}

const extraction = ({ value }: Typed) => value

function parameters(rows: readonly Row[], partition: number, withDocs: boolean): unknown[] {
  const column = (value: (candidate: Candidate) => unknown) =>
    rows.map(({ candidate }) => value(candidate))
  return [
    column(({ id }) => id),
    ...(withDocs ? [column(({ body }) => Buffer.from(body!).toString())] : []),
    column(({ version }) => String(version)),
    column(({ ordinal }) => ordinal),
    column(({ key }) => crc32(key)),
    partition,
  ]
}

interface Stored {
  readonly _id: string
  readonly _version: string
  readonly _ordinal: string
  readonly _key: string
  readonly deleted: boolean
}

function heldOf({ _version, _ordinal, _key, deleted }: Stored): Held {
  return { version: BigInt(_version), ordinal: Number(_ordinal), key: Number(_key), deleted }
}

function refusalOf(error: unknown): Refusal {
  const reason = `The row does not fit its columns: ${(error as Error).message.slice(0, 200)}.`
  return { code: sqlState(error) ?? 'refused', reason }
}
