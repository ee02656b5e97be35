import { setTimeout as sleep } from 'node:timers/promises'
import type { Client } from 'pg'
import { MillraceError } from '../../../src/core/errors.ts'
import { connect, translate } from '../session.ts'
import { socketOf } from '../wal/message-stream.ts'

/** How often a standby looks whether the slot is free. */
const lookMs = 500

/**
 * Says that one process reads a slot: by an advisory lock, which falls with the connection. The
 * slot itself shows a reader only while it streams, and not while tables are copied; and where the
 * position was looked up before the slot is free, the one before may have written on.
 */
export class Claim {
  readonly #url: string
  readonly #slot: string
  #client: Client | undefined
  #isHeld = false
  /** It was told already that another process has the slot. */
  #isStandby = false
  #lost = new AbortController()

  constructor(url: string, slot: string) {
    this.#url = url
    this.#slot = slot
  }

  /** Throws SLOT_IN_USE if another process has it; asked again, it waits until it is free. */
  async take(signal: AbortSignal): Promise<void> {
    if (this.#isHeld) return
    try {
      const client = (this.#client ??= await this.#connect())
      do {
        this.#isHeld = await this.#lock(client)
        if (!this.#isHeld && !this.#isStandby) await this.#refuse(client)
        if (!this.#isHeld) await sleep(lookMs, undefined, { signal }).catch(() => {})
      } while (!this.#isHeld && !signal.aborted)
      this.#isStandby = false
    } catch (error) {
      throw translate(error, this.#url)
    }
  }

  /** Reads until the end, or until the connection is gone and the lock with it; then lets it go. */
  async *during<T>(
    read: (signal: AbortSignal) => AsyncIterable<T>,
    signal: AbortSignal,
  ): AsyncGenerator<T> {
    const lost = this.#lost.signal
    try {
      yield* read(AbortSignal.any([signal, lost]))
      if (signal.aborted || !lost.aborted) return
      throw new MillraceError('CONNECTION_LOST', 'The connection that holds the slot was lost.')
    } finally {
      await this.#free()
    }
  }

  async #free(): Promise<void> {
    const client = this.#client
    this.#forget()
    await client?.end().catch(() => {})
  }

  /** The server would look for two hours whether a machine that is gone is still there. */
  async #connect(): Promise<Client> {
    const client = await connect(this.#url)
    socketOf(client).unref() // Nobody need wait for it.
    const lost = this.#lost
    const end = () => {
      if (this.#client !== client) return
      this.#forget()
      lost.abort()
    }
    client.on('error', end).on('end', end)
    await client.query(
      'SET tcp_keepalives_idle = 10; SET tcp_keepalives_interval = 5; SET tcp_keepalives_count = 3',
    )
    return client
  }

  #forget(): void {
    this.#client = undefined
    this.#isHeld = false
    this.#lost = new AbortController()
  }

  async #lock(client: Client): Promise<boolean> {
    const text = 'SELECT pg_try_advisory_lock($1, hashtext($2)) AS taken'
    const { rows } = await client.query<{ taken: boolean }>(text, [space, this.#slot])
    return rows[0]!.taken
  }

  async #refuse(client: Client): Promise<never> {
    this.#isStandby = true
    const { rows } = await client.query<{ pid: number }>(
      `SELECT pid FROM pg_catalog.pg_locks
        WHERE locktype = 'advisory' AND granted AND objsubid = 2
          AND classid = $1 AND objid = hashtext($2)::bit(32)::bigint::oid`,
      [space, this.#slot],
    )
    const holder = rows[0] === undefined ? '' : `, at server process ${rows[0].pid}`
    const message = `The slot ${this.#slot} has a reader already${holder}.`
    throw new MillraceError('SLOT_IN_USE', message)
  }
}

/** Keeps our locks apart from those that applications take: `mill` in ASCII. */
const space = 0x6d_69_6c_6c
