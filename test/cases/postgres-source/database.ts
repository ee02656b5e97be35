import pg from 'pg'
import type { ServerAbilities } from './requirements.ts'

/** The server that all cases of a run share, each in a database of its own. */
export class CaseServer {
  readonly #url: string
  readonly #admin: pg.Pool

  constructor(url: string) {
    this.#url = url
    this.#admin = new pg.Pool({ connectionString: url, max: 6 })
    this.#admin.on('error', () => {}) // The query under way reports it.
  }

  async abilities(): Promise<ServerAbilities> {
    const version = await this.#admin.query("SELECT current_setting('server_version_num') AS v")
    const available = await this.#admin.query('SELECT name FROM pg_available_extensions')
    return {
      majorVersion: Math.floor(Number(version.rows[0].v) / 10_000),
      extensions: new Set(available.rows.map(({ name }) => name)),
    }
  }

  async prepare(): Promise<void> {
    await this.#admin.query('CREATE TABLE IF NOT EXISTS fence (at timestamptz)')
  }

  // Copying files writes no WAL, which every walsender on the server would have to read.
  async createDatabase(name: string): Promise<string> {
    await this.#admin.query(`CREATE DATABASE ${name} TEMPLATE template0 STRATEGY file_copy`)
    return new URL(`/${name}`, this.#url).href
  }

  /** Drops the database with its slots. */
  async dropDatabase(name: string): Promise<void> {
    const readers = `SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots
      WHERE database = $1 AND active_pid IS NOT NULL`
    for (let attempt = 0; attempt < 50; attempt++) {
      await this.#admin.query(readers, [name])
      const dropped = this.#admin.query(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`)
      if (await dropped.then(() => true).catch(() => false)) return
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  }

  /**
   * The end of WAL, all of it flushed: a walsender reads no further, and a message outside of a
   * transaction would otherwise wait for the WAL writer. The row is in a database of its own.
   */
  async fence(): Promise<string> {
    await this.#admin.query('INSERT INTO fence VALUES (now())')
    const { rows } = await this.#admin.query('SELECT pg_current_wal_flush_lsn()::text AS lsn')
    return rows[0].lsn
  }

  /** Whether the slot's reader was sent everything up to an LSN; null while nobody reads it. */
  async wasSent(slot: string, lsn: string): Promise<boolean | null> {
    const { rows } = await this.#admin.query(
      `SELECT r.sent_lsn >= $2::pg_lsn AS sent
         FROM pg_replication_slots s JOIN pg_stat_replication r ON r.pid = s.active_pid
        WHERE s.slot_name = $1`,
      [slot, lsn],
    )
    return rows[0]?.sent ?? null
  }

  async confirmedLsn(slot: string): Promise<bigint | undefined> {
    const { rows } = await this.#admin.query(
      `SELECT (confirmed_flush_lsn - '0/0')::text AS lsn
         FROM pg_replication_slots WHERE slot_name = $1`,
      [slot],
    )
    return rows[0] === undefined ? undefined : BigInt(rows[0].lsn)
  }

  async close(): Promise<void> {
    await this.#admin.end()
  }
}
