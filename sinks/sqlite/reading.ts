import { existsSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { checkpointKey, decodeCheckpoint } from '../../src/core/checkpoint.ts'
import { type IdOf, idTemplate, keyId } from '../../src/core/document-id.ts'
import type { SinkContext } from '../../src/core/plugin.ts'
import { guessKey, type Reading, type StoredDocument } from '../../src/core/reading.ts'
import type { Position } from '../../src/core/source.ts'
import { faultOf } from './faults.ts'
import type { SqliteOptions } from './options.ts'
import { quote, shapeOf } from './tables.ts'

/** Rows read at a time: between two of them no transaction holds up SQLite's own clean-up. */
const pageRows = 1_000

/** Reads documents beside the sink that writes them. */
export class SqliteReading implements Reading {
  readonly idOf: IdOf
  readonly expires = false
  readonly #path: string
  readonly #template: string | undefined
  readonly #key: string
  readonly #partition: number
  readonly #live: string
  readonly #dead: string
  #sql: DatabaseSync | undefined

  constructor(options: SqliteOptions, context: SinkContext) {
    const { table } = shapeOf(options, context.topic)
    this.#path = options.path
    this.#template = options.id
    this.#key = checkpointKey(context)
    this.#partition = context.partition
    this.#live = quote(table)
    this.#dead = quote(`${table}__deleted`)
    this.idOf = options.id === undefined ? keyId : idTemplate(options.id)
  }

  keyOf(id: string): Uint8Array | undefined {
    return guessKey(id, this.idOf, this.#template)
  }

  async checkpoint(): Promise<Position | null> {
    const query = 'SELECT value FROM millrace_checkpoint WHERE key = ?'
    const [row] = this.#ask(query, this.#key)
    return row === undefined ? null : decodeCheckpoint(String(row.value), this.#path).position
  }

  async count(): Promise<number> {
    const query = `SELECT count(*) AS count FROM ${this.#live} WHERE partition = ?`
    return Number(this.#ask(query, this.#partition)[0]?.count ?? 0)
  }

  async *all(): AsyncGenerator<StoredDocument> {
    const query = `
      SELECT rowid, id, version, doc FROM ${this.#live}
      WHERE rowid > ? AND partition = ? ORDER BY rowid LIMIT ${pageRows}`
    for (let after = 0n; ; ) {
      const rows = this.#ask(query, after, this.#partition)
      for (const row of rows) yield stored(row)
      if (rows.length < pageRows) return
      after = rows.at(-1)!.rowid as bigint
    }
  }

  async some(ids: readonly string[]): Promise<readonly StoredDocument[]> {
    const query = `
      SELECT id, version, doc FROM ${this.#live} WHERE id = ?1
      UNION ALL SELECT id, version, NULL FROM ${this.#dead} WHERE id = ?1`
    return ids.flatMap((id) => this.#ask(query, id).map(stored))
  }

  async close(): Promise<void> {
    this.#sql?.close()
    this.#sql = undefined
  }

  /** A file that no sink has made yet holds nothing. */
  #ask(query: string, ...values: (string | number | bigint)[]): Record<string, unknown>[] {
    if (this.#sql === undefined && !existsSync(this.#path)) return []
    try {
      this.#sql ??= new DatabaseSync(this.#path, { readOnly: true, timeout: 1_000 })
      const statement = this.#sql.prepare(query)
      statement.setReadBigInts(true)
      return statement.all(...values)
    } catch (error) {
      throw faultOf(error, this.#path)
    }
  }
}

function stored({ id, version, doc }: Record<string, unknown>): StoredDocument {
  return { id: String(id), version: version as bigint, doc: doc === null ? null : String(doc) }
}
