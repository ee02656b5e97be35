import { canonicalJson } from '../../src/core/canonical-json.ts'
import { checkpointKey } from '../../src/core/checkpoint.ts'
import { type IdOf, idTemplate, keyId } from '../../src/core/document-id.ts'
import type { SinkContext } from '../../src/core/plugin.ts'
import { guessKey, type Reading, type StoredDocument } from '../../src/core/reading.ts'
import type { Position } from '../../src/core/source.ts'
import { Database } from './database.ts'
import type { PostgresSinkOptions } from './options.ts'
import { shapeOf } from './tables.ts'

/** Rows read at a time: no snapshot is held between two pages. */
const pageRows = 1_000

/** Reads rows beside the sink that writes them. */
export class PostgresReading implements Reading {
  readonly idOf: IdOf
  readonly expires = false
  readonly #template: string | undefined
  readonly #key: string
  readonly #partition: number
  readonly #db: Database
  readonly #live: string
  readonly #dead: string
  #connected: Promise<void> | undefined

  constructor(options: PostgresSinkOptions, context: SinkContext) {
    const { table } = shapeOf(options, context.topic)
    this.#db = new Database(options, `millrace/${context.pipeline}/${context.name}/reading`)
    this.#template = options.id
    this.#key = checkpointKey(context)
    this.#partition = context.partition
    this.#live = this.#db.name(table)
    this.#dead = this.#db.name(`${table}__deleted`)
    this.idOf = options.id === undefined ? keyId : idTemplate(options.id)
  }

  keyOf(id: string): Uint8Array | undefined {
    return guessKey(id, this.idOf, this.#template)
  }

  async checkpoint(): Promise<Position | null> {
    const own = this.#db.name('millrace_checkpoint')
    return (await this.#exists(own))
      ? ((await this.#db.checkpoint(this.#key))?.position ?? null)
      : null
  }

  async count(): Promise<number> {
    if (!(await this.#exists(this.#live))) return 0
    const query = `SELECT count(*)::text AS n FROM ${this.#live} WHERE _partition = $1`
    const [row] = await this.#db.ask(query, [this.#partition])
    return Number(row!.n)
  }

  async *all(): AsyncGenerator<StoredDocument> {
    if (!(await this.#exists(this.#live))) return
    const query = `
      SELECT _id, _version::text, _doc::text FROM ${this.#live}
      WHERE _id > $1 AND _partition = $2 ORDER BY _id LIMIT ${pageRows}`
    for (let after = ''; ; ) {
      const rows = await this.#db.ask<Stored>(query, [after, this.#partition])
      for (const row of rows) yield stored(row)
      if (rows.length < pageRows) return
      after = rows.at(-1)!._id
    }
  }

  async some(ids: readonly string[]): Promise<readonly StoredDocument[]> {
    if (ids.length === 0 || !(await this.#exists(this.#live))) return []
    const query = `
      SELECT _id, _version::text, _doc::text FROM ${this.#live} WHERE _id = ANY($1)
      UNION ALL SELECT _id, _version::text, NULL FROM ${this.#dead} WHERE _id = ANY($1)`
    return (await this.#db.ask<Stored>(query, [ids])).map(stored)
  }

  async close(): Promise<void> {
    await this.#db.close()
  }

  /** What no sink has made yet holds nothing. */
  async #exists(name: string): Promise<boolean> {
    this.#connected ??= this.#db.connect()
    await this.#connected
    const [row] = await this.#db.ask('SELECT to_regclass($1)::text AS name', [name])
    return row?.name != null
  }
}

interface Stored {
  readonly _id: string
  readonly _version: string
  readonly _doc: string | null
}

function stored({ _id, _version, _doc }: Stored): StoredDocument {
  // jsonb is printed with blanks.
  const doc = _doc === null ? null : canonicalJson(_doc)
  return { id: _id, version: BigInt(_version), doc }
}
