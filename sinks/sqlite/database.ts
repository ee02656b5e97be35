/*
 * What every file that a sink writes to holds beside the documents:
 *
 *   millrace_target      one row: the random id of this file
 *   millrace_tables      the tables that sinks made, and which sink may write to each
 *   millrace_checkpoint  how far each sink came (core/checkpoint.ts)
 *
 * A transaction is begun and ended in one go, never across an `await`: several sinks of one process
 * may share the file, and one that waits for another's lock would stop the thread that releases it.
 */
import { randomUUID } from 'node:crypto'
import { existsSync, rmSync, statSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import {
  decodeCheckpoint,
  encodeCheckpoint,
  type StoredCheckpoint,
} from '../../src/core/checkpoint.ts'
import { MillraceError } from '../../src/core/errors.ts'

/** How long to wait for another process that writes. The thread stands still meanwhile. */
const busyMs = 1_000

export class Database {
  readonly path: string
  readonly sql: DatabaseSync
  /** Identity of the file. */
  readonly target: string
  readonly #inode: string

  constructor(path: string) {
    this.path = path
    removeLeftovers(path)
    this.sql = new DatabaseSync(path, { timeout: busyMs })
    try {
      // In WAL mode only FULL syncs at each commit; readers of other processes are not held up.
      this.sql.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL')
      this.#inode = inodeOf(path)
      this.target = this.transaction(() => this.#prepare())
    } catch (error) {
      this.sql.close()
      throw error
    }
  }

  /** Throws TARGET_CHANGED if the file at the path is no longer the one that is open. */
  assertInPlace(): void {
    if (inodeOf(this.path) === this.#inode) return
    throw new MillraceError('TARGET_CHANGED', `${this.path} was removed or replaced.`)
  }

  /** All or nothing; durable once it returns. */
  transaction<T>(work: () => T): T {
    return this.#between('BEGIN IMMEDIATE', work)
  }

  /** Reads one moment of the file. */
  snapshot<T>(work: () => T): T {
    return this.#between('BEGIN', work)
  }

  checkpoint(key: string): StoredCheckpoint | undefined {
    const row = this.sql.prepare('SELECT value FROM millrace_checkpoint WHERE key = ?').get(key)
    return row && decodeCheckpoint(String(row.value), `${this.path}: ${key}`)
  }

  putCheckpoint(key: string, checkpoint: StoredCheckpoint): void {
    this.sql
      .prepare('INSERT OR REPLACE INTO millrace_checkpoint (key, value) VALUES (?, ?)')
      .run(key, encodeCheckpoint(checkpoint))
  }

  close(): void {
    this.sql.close()
  }

  #between<T>(begin: string, work: () => T): T {
    this.sql.exec(begin)
    try {
      const result = work()
      this.sql.exec('COMMIT')
      return result
    } catch (error) {
      // Some errors, such as a full disk, have rolled it back already.
      if (this.sql.isTransaction) this.sql.exec('ROLLBACK')
      throw error
    }
  }

  #prepare(): string {
    this.sql.exec(`
      CREATE TABLE IF NOT EXISTS millrace_target (id TEXT NOT NULL);
      CREATE TABLE IF NOT EXISTS millrace_tables (
        name TEXT PRIMARY KEY COLLATE NOCASE, owner TEXT NOT NULL, config TEXT NOT NULL
      ) WITHOUT ROWID;
      CREATE TABLE IF NOT EXISTS millrace_checkpoint (
        key TEXT PRIMARY KEY, value TEXT NOT NULL
      ) WITHOUT ROWID`)
    const known = this.sql.prepare('SELECT id FROM millrace_target').get()
    if (known !== undefined) return String(known.id)
    const id = randomUUID()
    this.sql.prepare('INSERT INTO millrace_target (id) VALUES (?)').run(id)
    return id
  }
}

/** The journal of a file that was deleted must not meet the new file of that name. */
function removeLeftovers(path: string): void {
  if (existsSync(path)) return
  rmSync(`${path}-wal`, { force: true })
  rmSync(`${path}-shm`, { force: true })
}

function inodeOf(path: string): string {
  const found = statSync(path, { throwIfNoEntry: false, bigint: true })
  return found === undefined ? 'none' : `${found.dev}:${found.ino}`
}
