import type { Client } from 'pg'
import {
  budgetDetail,
  describeBudget,
  sampleWal,
  type WalBudget,
  type WalSample,
  WalSamples,
} from './wal-budget.ts'

/** Keeps an eye on the WAL that a server keeps for a slot, and says so when it becomes too much. */
export class WalWatch {
  readonly #slot: string
  readonly #say: (line: string) => void
  #samples = new WalSamples()
  #last: WalSample | null = null
  #budget: WalBudget | undefined
  #isSampling = false

  constructor(slot: string, say: (line: string) => void) {
    this.#slot = slot
    this.#say = say
  }

  /** Asks the server; a question that is still open is not asked twice. */
  async sample(sql: () => Promise<Client>): Promise<void> {
    if (this.#isSampling) return
    this.#isSampling = true
    try {
      this.#take(await sampleWal(await sql(), this.#slot))
    } catch {
      this.#last = null // Whoever reads the stream reports what is wrong with the connection.
    } finally {
      this.#isSampling = false
    }
  }

  /** The connection is gone, and with it what we knew. */
  forget(): void {
    this.#last = null
    this.#budget = undefined
    this.#samples = new WalSamples()
  }

  /** Bytes between the end of WAL and what is acknowledged. */
  get unreadBytes(): number | null {
    return this.#last?.unreadBytes ?? null
  }

  get detail(): Readonly<Record<string, string | number>> {
    return this.#last === null || this.#budget === undefined ? {} : budgetDetail(this.#budget)
  }

  #take(sample: WalSample | null): void {
    this.#last = sample
    if (sample === null) return
    const before = this.#budget?.level ?? 'ok'
    this.#budget = this.#samples.add(sample)
    const { level } = this.#budget
    if (level === 'ok' || level === before || before === 'error') return
    this.#say(`slot ${this.#slot} is in danger: ${describeBudget(this.#budget)}`)
  }
}
