/*
 * What a schema that a sink writes to holds beside the tables (tables.ts):
 *
 *   millrace_target      one row: the random id of this database
 *   millrace_tables      the tables that sinks made, which sink may write to each, and how
 *   millrace_checkpoint  how far each sink came (core/checkpoint.ts)
 */
import { randomUUID } from 'node:crypto'
import pg from 'pg'
import {
  decodeCheckpoint,
  encodeCheckpoint,
  type StoredCheckpoint,
} from '../../src/core/checkpoint.ts'
import { MillraceError } from '../../src/core/errors.ts'
import { type Opening, openSecured, splitTls, urlOf } from '../../src/core/postgres-tls.ts'
import { faultOf } from './faults.ts'
import type { PostgresSinkOptions } from './options.ts'

export type Values = readonly unknown[]

/** One connection. What was lost stays lost: the transaction is gone with it. */
export class Database {
  readonly schema: string
  readonly place: string
  readonly #options: PostgresSinkOptions
  readonly #name: string
  #client: pg.Client | undefined
  #lost: Error | undefined

  constructor(options: PostgresSinkOptions, name: string) {
    this.schema = options.schema
    this.place = placeOf(options)
    this.#options = options
    this.#name = name
  }

  async connect(): Promise<void> {
    const { timeoutMs } = this.#options
    try {
      const server = { host: parse(this.#options).host, where: this.place }
      this.#client = await openSecured(urlOf(this.#options), server, (opening) =>
        this.#open(opening),
      )
    } catch (error) {
      throw faultOf(error, this.place)
    }
    // A process that is stopped in the middle must not keep its locks from the next one.
    await this.ask(`
      SET lock_timeout = ${timeoutMs};
      SET idle_in_transaction_session_timeout = ${timeoutMs * 2};
      SET synchronous_commit = on;
      SET TimeZone = 'UTC'; SET DateStyle = 'ISO'`)
  }

  /** The rows of a statement. Errors have been classified. */
  async ask<Row = Record<string, string | null>>(sql: string, values?: Values): Promise<Row[]> {
    try {
      return await this.askRaw(sql, values)
    } catch (error) {
      throw faultOf(error, this.place)
    }
  }

  /** The same, with the server's own errors. */
  async askRaw<Row>(sql: string, values?: Values): Promise<Row[]> {
    if (this.#lost) throw this.#lost
    const found = await this.#client!.query(sql, values as unknown[])
    return (found.rows ?? []) as Row[]
  }

  async transaction<T>(work: () => Promise<T>): Promise<T> {
    await this.ask('BEGIN')
    try {
      const result = await work()
      await this.ask('COMMIT')
      return result
    } catch (error) {
      await this.ask('ROLLBACK').catch(() => {}) // The first error says what went wrong.
      throw error
    }
  }

  /** Makes the tables of our own. Returns the identity of the database. */
  async prepare(): Promise<string> {
    const own = (name: string) => this.name(`millrace_${name}`)
    // Two sinks that start at once would both make them.
    await this.ask(`SELECT pg_advisory_xact_lock(hashtext('millrace'), hashtext($1))`, [
      this.schema,
    ])
    const [there] = await this.ask('SELECT to_regclass($1)::text AS name', [own('checkpoint')])
    if (there?.name == null) {
      await this.ask(`
        CREATE TABLE IF NOT EXISTS ${own('target')} (id text NOT NULL);
        CREATE TABLE IF NOT EXISTS ${own('tables')} (
          name text PRIMARY KEY, owner text NOT NULL, config text NOT NULL);
        CREATE TABLE IF NOT EXISTS ${own('checkpoint')} (
          key text PRIMARY KEY, value text NOT NULL)`)
    }
    const [known] = await this.ask(`SELECT id FROM ${own('target')}`)
    if (known?.id) return known.id
    const id = randomUUID()
    await this.ask(`INSERT INTO ${own('target')} VALUES ($1)`, [id])
    return id
  }

  /** `lock`: keeps others from claiming it until the transaction ends. */
  async checkpoint(key: string, lock = false): Promise<StoredCheckpoint | undefined> {
    const query = `SELECT value FROM ${this.name('millrace_checkpoint')} WHERE key = $1`
    const [row] = await this.ask(lock ? `${query} FOR UPDATE` : query, [key])
    return row && decodeCheckpoint(String(row.value), `${this.place}: ${key}`)
  }

  async putCheckpoint(key: string, checkpoint: StoredCheckpoint): Promise<void> {
    await this.ask(
      `INSERT INTO ${this.name('millrace_checkpoint')} VALUES ($1, $2)
       ON CONFLICT (key) DO UPDATE SET value = excluded.value`,
      [key, encodeCheckpoint(checkpoint)],
    )
  }

  /** A table's name as SQL wants it. */
  name(table: string): string {
    return `${quote(this.schema)}.${quote(table)}`
  }

  async close(): Promise<void> {
    await this.#client?.end().catch(() => {}) // It may have been lost.
  }

  async #open({ url, ssl, negotiation }: Opening): Promise<pg.Client> {
    const client = new pg.Client({
      connectionString: url,
      ssl,
      application_name: this.#name.slice(0, 63),
      connectionTimeoutMillis: this.#options.timeoutMs,
      keepAlive: true,
      // `pg` passes it on; its types do not know it.
      ...(ssl !== false && negotiation === 'direct' && { sslnegotiation: 'direct' }),
    })
    client.on('error', (error) => {
      this.#lost = error
    })
    try {
      await client.connect()
      return client
    } catch (error) {
      this.#lost = undefined // Another attempt may follow, without TLS.
      client.end().catch(() => {})
      throw error
    }
  }
}

/** `host:port/database`, for people. */
export function placeOf(options: PostgresSinkOptions): string {
  const { host, port, database } = parse(options)
  return `${host}:${port}/${database}`
}

/** A URL as `pg` understands it. */
function parse(options: PostgresSinkOptions): pg.Client {
  return new pg.Client({ connectionString: splitTls(options.url).bare, ssl: false })
}

export function quote(name: string): string {
  if (!name.includes('\0')) return `"${name.replaceAll('"', '""')}"`
  throw new MillraceError('TARGET_MISCONFIGURED', 'A name holds U+0000, which PostgreSQL has not.')
}
