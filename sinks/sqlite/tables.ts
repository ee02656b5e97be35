/*
 * The tables of one sink:
 *
 *   <table>            the live documents: id, doc (JSON), version, ordinal, and the chosen columns
 *   <table>__deleted   versions of deleted documents, kept for a week
 *   <table>_search     full-text index over the chosen fields; its rowid is that of <table>
 *
 * SELECT o.doc FROM orders_search s JOIN orders o ON o.rowid = s.rowid
 * WHERE orders_search MATCH 'ada' ORDER BY rank
 */
import { configDigest } from '../../src/core/checkpoint.ts'
import { MillraceError } from '../../src/core/errors.ts'
import type { Database } from './database.ts'
import { type SqliteOptions, searchColumn } from './options.ts'

export interface Shape {
  readonly table: string
  /** Fields in the order of the full-text columns. */
  readonly search: readonly string[]
  readonly columns: Readonly<Record<string, string>>
  /** Digest of the options that shape what is stored. */
  readonly config: string
}

export function shapeOf({ table, id, search, columns }: SqliteOptions, topic: string): Shape {
  return {
    table: table ?? topic.slice(topic.lastIndexOf('.') + 1).replaceAll(/\W/g, '_'),
    search,
    columns,
    config: configDigest({ layout: 1, id, search, columns }),
  }
}

/**
 * Makes the tables, or makes them anew if they have another shape than the options ask for. A table
 * of the same name that this sink has not made is left alone: TARGET_MISCONFIGURED.
 */
export function prepareTables(database: Database, shape: Shape, owner: string): void {
  const { sql, path } = database
  const known = sql
    .prepare('SELECT owner, config FROM millrace_tables WHERE name = ?')
    .get(shape.table)
  if (known?.config === shape.config && known.owner === owner) return
  if (known !== undefined && known.owner !== owner) {
    throw taken(path, shape.table, `is written by ${known.owner}`)
  }
  if (known === undefined) assertFree(database, shape.table)
  else dropTables(database, shape.table, owner)
  createTables(database, shape)
  sql
    .prepare('INSERT OR REPLACE INTO millrace_tables (name, owner, config) VALUES (?, ?, ?)')
    .run(shape.table, owner, shape.config)
}

export function quote(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}

function assertFree({ sql, path }: Database, table: string): void {
  const find = sql.prepare('SELECT name FROM sqlite_master WHERE name = ? COLLATE NOCASE')
  for (const name of [table, `${table}__deleted`, `${table}_search`]) {
    if (find.get(name) !== undefined) throw taken(path, name, 'was not made by millrace')
  }
}

function taken(path: string, table: string, why: string): MillraceError {
  const fact = `The table ${table} in ${path} ${why}.`
  return new MillraceError('TARGET_MISCONFIGURED', `${fact} Name another with \`table\`.`)
}

/** Whoever still writes to the old tables is fenced off. */
function dropTables(database: Database, table: string, owner: string): void {
  for (const name of [table, `${table}__deleted`, `${table}_search`]) {
    database.sql.exec(`DROP TABLE IF EXISTS ${quote(name)}`)
  }
  for (const row of database.sql.prepare('SELECT key FROM millrace_checkpoint').all()) {
    const key = String(row.key)
    const checkpoint = key.startsWith(`${owner}/`) ? database.checkpoint(key) : undefined
    if (checkpoint === undefined) continue
    database.putCheckpoint(key, { ...checkpoint, position: null, epoch: checkpoint.epoch + 1 })
  }
}

function createTables({ sql }: Database, { table, columns, search }: Shape): void {
  const generated = Object.entries(columns).map(([name, field]) => {
    const path = field
      .split('.')
      .map((part) => `."${part}"`)
      .join('')
    return `${quote(name)} GENERATED ALWAYS AS (doc ->> '$${path}') VIRTUAL`
  })
  // VACUUM keeps rowids only where they are declared.
  sql.exec(`
    CREATE TABLE ${quote(table)} (${[
      'rowid INTEGER PRIMARY KEY',
      'id TEXT NOT NULL UNIQUE',
      'doc TEXT NOT NULL',
      'version INTEGER NOT NULL',
      'ordinal INTEGER NOT NULL',
      'key INTEGER NOT NULL',
      'partition INTEGER NOT NULL',
      ...generated,
    ].join(', ')});
    CREATE TABLE ${quote(`${table}__deleted`)} (
      id TEXT PRIMARY KEY, version INTEGER NOT NULL, ordinal INTEGER NOT NULL,
      key INTEGER NOT NULL, partition INTEGER NOT NULL, at INTEGER NOT NULL
    ) WITHOUT ROWID;
    CREATE INDEX ${quote(`${table}__deleted_at`)} ON ${quote(`${table}__deleted`)} (at)`)
  for (const name of Object.keys(columns)) {
    sql.exec(`CREATE INDEX ${quote(`${table}__${name}`)} ON ${quote(table)} (${quote(name)})`)
  }
  if (search.length === 0) return
  const names = search.map((field) => quote(searchColumn(field))).join(', ')
  sql.exec(
    `CREATE VIRTUAL TABLE ${quote(`${table}_search`)} USING fts5(${names}, content='', contentless_delete=1)`,
  )
}
