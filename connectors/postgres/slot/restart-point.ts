import type { Client } from 'pg'
import { formatLsn, type Lsn } from '../wal/lsn.ts'

/** After so much WAL of other databases the server is asked for a new place to start from. */
const stepBytes = 4n * 1024n * 1024n

const undefinedFunction = '42883'
const insufficientPrivilege = '42501'

export interface RestartPointPlan {
  readonly sql: () => Promise<Client>
  readonly say: (line: string) => void
}

/**
 * Moves the place from which a slot keeps WAL (`restart_lsn`). Acknowledging does not: it follows
 * only where the server has written down which transactions run, which it does every 15 seconds
 * and at checkpoints. A gigabyte of WAL of other databases was kept as a whole meanwhile; asked by
 * `pg_log_standby_snapshot()` (from 16 on, for those who may), the server kept 44 MB.
 */
export class RestartPoint {
  readonly #plan: RestartPointPlan
  #moved: Lsn = 0n
  #isAsking = false
  #isRefused = false

  constructor(plan: RestartPointPlan) {
    this.#plan = plan
  }

  /** The stream has passed this end of WAL, and nothing was in it for us. */
  async pass(walEnd: Lsn): Promise<void> {
    if (this.#moved === 0n) this.#moved = walEnd
    if (this.#isAsking || this.#isRefused || walEnd - this.#moved < stepBytes) return
    this.#isAsking = true
    this.#moved = walEnd
    try {
      await (await this.#plan.sql()).query('SELECT pg_log_standby_snapshot()')
    } catch (error) {
      this.#refuse((error as { readonly code?: string }).code, walEnd)
    } finally {
      this.#isAsking = false
    }
  }

  /** Other errors are those of the connection, and who needs it will say so. */
  #refuse(code: string | undefined, walEnd: Lsn): void {
    this.#isRefused = code === undefinedFunction || code === insufficientPrivilege
    if (code !== insufficientPrivilege) return
    this.#plan.say(
      `other databases write much WAL (at ${formatLsn(walEnd)}), which the slot keeps for up to 15 s: ` +
        'GRANT EXECUTE ON FUNCTION pg_log_standby_snapshot() to the role shortens that',
    )
  }
}
