import { setTimeout as sleep } from 'node:timers/promises'

/** How often a snapshot says how far it is. */
const sayMs = 10_000

/** How far snapshots are: rows, rows a second, and the time that is left. */
export class SnapshotProgress {
  readonly #say: (line: string) => void
  readonly #rowsPerSecond: number
  readonly #tables = new Map<string, { rows: number; readonly expected: number }>()
  #startedAt = Date.now()
  #saidAt = Date.now()
  /** Rows since the snapshot began, and the time from which on the next may be read. */
  #rows = 0
  #next = 0

  constructor(say: (line: string) => void, rowsPerSecond: number) {
    this.#say = say
    this.#rowsPerSecond = rowsPerSecond
  }

  begin(table: string, expected: number): void {
    if (this.#tables.size === 0) this.#restart()
    if (this.#tables.has(table)) return
    this.#tables.set(table, { rows: 0, expected })
    const about = expected > 0 ? `, about ${Math.round(expected)} rows` : ''
    this.#say(`snapshot of ${table} begins${about}`)
  }

  end(table: string, outcome = ''): void {
    const rows = this.#tables.get(table)?.rows ?? 0
    this.#tables.delete(table)
    this.#say(`snapshot of ${table}: ${outcome || `${rows} rows`}`)
  }

  add(table: string, rows: number): void {
    const entry = this.#tables.get(table)
    if (entry !== undefined) entry.rows += rows
    this.#rows += rows
    if (Date.now() - this.#saidAt < sayMs) return
    this.#saidAt = Date.now()
    this.#say(`snapshot: ${this.describe()}`)
  }

  /** Waits as long as the rate limit asks for after so many rows. */
  async pace(rows: number, signal: AbortSignal): Promise<void> {
    if (this.#rowsPerSecond === 0 || rows === 0) return
    const now = Date.now()
    this.#next = Math.max(now, this.#next) + (rows * 1000) / this.#rowsPerSecond
    await sleep(this.#next - now, undefined, { signal }).catch(() => {})
  }

  /** In one line; empty while no snapshot runs. */
  describe(): string {
    if (this.#tables.size === 0) return ''
    const seconds = Math.max(0.001, (Date.now() - this.#startedAt) / 1000)
    const rate = this.#rows / seconds
    let left = 0
    for (const { rows, expected } of this.#tables.values()) left += Math.max(0, expected - rows)
    const tables = [...this.#tables.keys()].join(', ')
    const eta = rate > 0 && left > 0 ? `, about ${Math.ceil(left / rate)} s left` : ''
    return `${this.#rows} rows of ${tables}, ${Math.round(rate)} rows/s${eta}`
  }

  #restart(): void {
    this.#startedAt = this.#saidAt = Date.now()
    this.#rows = 0
  }
}
