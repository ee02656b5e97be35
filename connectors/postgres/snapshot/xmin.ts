import type { Client } from 'pg'

/**
 * Keeps the slot's catalog_xmin at hand: the oldest transaction whose catalog rows the slot keeps.
 */
export class XminWatch {
  value: number | null = null
  #timer: NodeJS.Timeout | undefined

  /** Reads it once, then every `everyMs`; a failed reading leaves the value as it is. */
  async start(sql: () => Promise<Client>, slot: string, everyMs: number): Promise<void> {
    const read = async () => {
      const { rows } = await (await sql()).query(
        `SELECT catalog_xmin::text::int8::float8 AS xmin
           FROM pg_catalog.pg_replication_slots WHERE slot_name = $1`,
        [slot],
      )
      this.value = rows[0]?.xmin ?? null
    }
    await read()
    this.#timer = setInterval(() => read().catch(() => {}), everyMs)
  }

  stop(): void {
    clearInterval(this.#timer)
  }
}
