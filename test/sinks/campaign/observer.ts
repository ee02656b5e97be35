import { setTimeout as sleep } from 'node:timers/promises'

/** The live documents' versions by id; `undefined` while there is nothing to read from. */
export type Look = () => Promise<ReadonlyMap<string, bigint> | undefined>

/** Looks at a target all the time, past whatever disturbs the sink. */
export class Observer {
  readonly #look: Look
  readonly #newest = new Map<string, bigint>()
  readonly #gone = new Set<string>()
  #isLooking = true
  readonly faults: string[] = []
  looks = 0

  constructor(look: Look) {
    this.#look = look
  }

  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const found = await this.#look().catch(() => undefined)
      if (this.#isLooking && found !== undefined) this.#note(found)
      await sleep(100, undefined, { signal }).catch(() => {})
    }
  }

  /** What is seen from now on does not count. */
  lookAway(): void {
    this.#isLooking = false
  }

  /** From now on all counts, and what was before does not. */
  lookAgain(): void {
    this.#newest.clear()
    this.#gone.clear()
    this.#isLooking = true
  }

  #note(found: ReadonlyMap<string, bigint>): void {
    this.looks++
    for (const id of this.#newest.keys()) if (!found.has(id)) this.#gone.add(id)
    for (const [id, version] of found) {
      const newest = this.#newest.get(id) ?? 0n
      if (version < newest) this.faults.push(`${id} fell from ${newest} to ${version}`)
      if (version === newest && this.#gone.has(id)) this.faults.push(`${id} at ${version} is back`)
      this.#gone.delete(id)
      this.#newest.set(id, version)
    }
  }
}
