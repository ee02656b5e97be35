import type { Client } from 'pg'
import type { OpenRecord } from '../wal/envelope-writer.ts'
import type { HeartbeatOptions } from './options.ts'

export interface HeartbeatPlan {
  readonly options: HeartbeatOptions
  /** The topic prefix of the connector. */
  readonly prefix: string
  readonly sql: () => Promise<Client>
  readonly say: (line: string) => void
}

/**
 * Beats at an interval: writes a logical message to the WAL, so that the slot moves on a database
 * where nothing else is written; runs the user's own SQL; and has a record ready for the stream.
 */
export class Heartbeat {
  readonly #plan: HeartbeatPlan
  readonly #topic: string
  #timer: NodeJS.Timeout | undefined
  #isDue = false
  #isBeating = false
  /** The last failure that was told, so that it is told once. */
  #told = ''

  constructor(plan: HeartbeatPlan) {
    this.#plan = plan
    this.#topic = heartbeatTopic(plan.options, plan.prefix)
  }

  start(): void {
    this.#timer = setInterval(() => this.#beat(), this.#plan.options.intervalMs)
  }

  /** Whether a record is due; it is not, once it was asked for. */
  takeDue(): boolean {
    const due = this.#isDue
    this.#isDue = false
    return due
  }

  /** Debezium's heartbeat: a key {"serverName":…} and a value {"ts_ms":…}. */
  record(version: bigint): OpenRecord {
    const timestamp = Date.now()
    return {
      topic: this.#topic,
      key: Buffer.from(JSON.stringify({ serverName: this.#plan.prefix })),
      value: Buffer.from(JSON.stringify({ ts_ms: timestamp })),
      ...{ timestamp, version, ordinal: 0, endsCommit: true },
    }
  }

  stop(): void {
    clearInterval(this.#timer)
  }

  async #beat(): Promise<void> {
    this.#isDue = true
    if (this.#isBeating) return
    this.#isBeating = true
    try {
      const sql = await this.#plan.sql()
      // In a transaction: its commit is flushed, whereas a message alone waits for the next one.
      await sql.query("SELECT pg_logical_emit_message(true, 'millrace.heartbeat', '')")
      if (this.#plan.options.query !== undefined) await sql.query(this.#plan.options.query)
      this.#told = ''
    } catch (error) {
      this.#tell((error as Error).message)
    } finally {
      this.#isBeating = false
    }
  }

  #tell(message: string): void {
    if (message === this.#told) return
    this.#told = message
    this.#plan.say(`the heartbeat failed: ${message}`)
  }
}

export function heartbeatTopic({ topicPrefix }: HeartbeatOptions, prefix: string): string {
  return `${topicPrefix}.${prefix}`
}
