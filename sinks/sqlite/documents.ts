import type { StatementSync } from 'node:sqlite'
import type { Held } from '../../src/core/fold.ts'
import type { Database } from './database.ts'
import { searchColumn } from './options.ts'
import { searchTexts } from './search-text.ts'
import { quote, type Shape } from './tables.ts'

/** What the table holds of an id, or shall hold. */
export interface State extends Held {
  readonly key: number
  /** Of the live row; `undefined` if there is none. */
  readonly rowid: number | undefined
}

export interface Doc {
  readonly id: string
  /** JSON; `null`: deleted. */
  readonly text: string | null
  /** One per searched field. */
  readonly search: readonly string[]
}

/** How long the version of a deleted document is kept: far above any replay. */
const keepDeletedMs = 7 * 24 * 3600 * 1000

/**
 * Reads and writes the documents of one partition. Every write stands in a transaction of others.
 */
export class Documents {
  readonly #fields: readonly string[]
  readonly #parses: boolean
  readonly #partition: number
  readonly #sql: Readonly<Record<keyof typeof statements, StatementSync>>
  readonly #search: { readonly put: StatementSync; readonly remove: StatementSync } | undefined
  readonly #clear: readonly StatementSync[]

  constructor({ sql }: Database, { table, search, columns }: Shape, partition: number) {
    this.#fields = search
    this.#parses = search.length > 0 || Object.keys(columns).length > 0
    this.#partition = partition
    const prepare = (text: string) => {
      const live = text.replaceAll('$live', quote(table))
      const dead = live.replaceAll('$dead', quote(`${table}__deleted`))
      return sql.prepare(dead.replaceAll('$search', quote(`${table}_search`)))
    }
    this.#sql = Object.fromEntries(
      Object.entries(statements).map(([name, text]) => [name, prepare(text)]),
    ) as Record<keyof typeof statements, StatementSync>
    this.#sql.live.setReadBigInts(true)
    this.#sql.dead.setReadBigInts(true)
    this.#search = search.length === 0 ? undefined : searchStatements(search, prepare)
    const unsearch =
      'DELETE FROM $search WHERE rowid IN (SELECT rowid FROM $live WHERE partition = ?)'
    this.#clear = [
      ...(this.#search ? [prepare(unsearch)] : []),
      prepare('DELETE FROM $live WHERE partition = ?'),
      prepare('DELETE FROM $dead WHERE partition = ?'),
    ]
  }

  /**
   * Looks up what is held of an id, in the transaction under way. A look into a table that is empty
   * costs as much as one into a full one, so a first fill is spared both.
   */
  finder(): (id: string) => State | undefined {
    const { live, dead, anyLive, anyDead } = this.#sql
    const hasLive = anyLive.get() !== undefined
    const hasDead = anyDead.get() !== undefined
    return (id) => {
      const alive = hasLive ? (live.get(id) as Stored | undefined) : undefined
      if (alive !== undefined) return { ...read(alive), deleted: false, rowid: Number(alive.rowid) }
      const gone = hasDead ? (dead.get(id) as Stored | undefined) : undefined
      return gone && { ...read(gone), deleted: true, rowid: undefined }
    }
  }

  /** Throws SyntaxError if a field is searched and the text is not JSON. */
  read(id: string, body: Uint8Array | null): Doc {
    if (body === null) return { id, text: null, search: [] }
    const text = Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString()
    const search = this.#parses ? searchTexts(JSON.parse(text), this.#fields) : []
    return { id, text, search }
  }

  /** Puts a state in place of the one that was found. */
  put(doc: Doc, next: State, held: State | undefined): void {
    if (doc.text === null) this.#remove(doc.id, next, held)
    else {
      const rowid = this.#upsert(doc.id, doc.text, next, held)
      this.#search?.put.run(rowid, ...doc.search)
    }
  }

  /** Forgets everything of this partition. */
  clear(): void {
    for (const statement of this.#clear) statement.run(this.#partition)
  }

  /** Forgets deletes that nothing in flight can be older than. */
  expire(): void {
    this.#sql.expire.run(Date.now() - keepDeletedMs)
  }

  #upsert(id: string, text: string, next: State, held: State | undefined): number | bigint {
    const { version, ordinal, key } = next
    const partition = this.#partition
    if (held?.rowid !== undefined) {
      this.#sql.update.run(text, version, ordinal, key, partition, held.rowid)
      return held.rowid
    }
    if (held !== undefined) this.#sql.revive.run(id)
    return this.#sql.insert.run(id, text, version, ordinal, key, partition).lastInsertRowid
  }

  #remove(id: string, { version, ordinal, key }: State, held: State | undefined): void {
    if (held?.rowid !== undefined) {
      this.#sql.remove.run(held.rowid)
      this.#search?.remove.run(held.rowid)
    }
    this.#sql.bury.run(id, version, ordinal, key, this.#partition, Date.now())
  }
}

interface Stored {
  readonly rowid: bigint
  readonly version: bigint
  readonly ordinal: bigint
  readonly key: bigint
}

function read({ version, ordinal, key }: Stored) {
  return { version, ordinal: Number(ordinal), key: Number(key) }
}

const statements = {
  live: 'SELECT rowid, version, ordinal, key FROM $live WHERE id = ?',
  dead: 'SELECT version, ordinal, key FROM $dead WHERE id = ?',
  anyLive: 'SELECT 1 FROM $live LIMIT 1',
  anyDead: 'SELECT 1 FROM $dead LIMIT 1',
  insert: 'INSERT INTO $live (id, doc, version, ordinal, key, partition) VALUES (?, ?, ?, ?, ?, ?)',
  update:
    'UPDATE $live SET doc = ?, version = ?, ordinal = ?, key = ?, partition = ? WHERE rowid = ?',
  remove: 'DELETE FROM $live WHERE rowid = ?',
  bury: 'INSERT OR REPLACE INTO $dead (id, version, ordinal, key, partition, at) VALUES (?, ?, ?, ?, ?, ?)',
  revive: 'DELETE FROM $dead WHERE id = ?',
  expire: 'DELETE FROM $dead WHERE at < ?',
} as const

function searchStatements(
  fields: readonly string[],
  prepare: (text: string) => StatementSync,
): { readonly put: StatementSync; readonly remove: StatementSync } {
  const names = fields.map((field) => quote(searchColumn(field))).join(', ')
  const values = fields.map(() => '?').join(', ')
  return {
    put: prepare(`INSERT OR REPLACE INTO $search (rowid, ${names}) VALUES (?, ${values})`),
    remove: prepare('DELETE FROM $search WHERE rowid = ?'),
  }
}
