import { setTimeout as sleep } from 'node:timers/promises'
import type { Positions, Target, Versions } from './targets.ts'

/** What was seen of a sink so far. */
export class Memory {
  readonly #versions = new Map<string, bigint>()
  /** Those that are gone, with the version under which they were seen last. */
  readonly #gone = new Map<string, bigint>()
  readonly #reusesIds: boolean
  /** What was lost may be written again. */
  #mayComeBack: boolean

  /** `reusesIds`: the origin may give an id to another row. It has a greater version then. */
  constructor({ reusesIds = false }: { readonly reusesIds?: boolean } = {}) {
    this.#reusesIds = reusesIds
    this.#mayComeBack = reusesIds
  }

  /** Takes in a look at everything the sink holds. Says what should not have become of it. */
  note(now: Versions): readonly string[] {
    const regressions: string[] = []
    for (const [id, version] of now) {
      const before = this.#versions.get(id)
      const gone = this.#gone.get(id)
      this.#gone.delete(id)
      if (gone !== undefined && !(this.#mayComeBack && version > gone)) {
        regressions.push(`document ${id} is back from the dead: ${version} after ${gone}`)
      } else if (before !== undefined && version < before) {
        regressions.push(`document ${id} fell from version ${before} to ${version}`)
      }
      this.#versions.set(id, version)
    }
    for (const [id, version] of this.#versions) {
      if (now.has(id)) continue
      this.#versions.delete(id)
      this.#gone.set(id, version)
    }
    return regressions
  }

  /**
   * `hasLost`: the server has. It may stand in the middle of being cleared for this life, so what
   * it has from the last one goes, and comes again, as a row does under an id that is used again.
   */
  forget(hasLost = false): void {
    this.#versions.clear()
    this.#gone.clear()
    this.#mayComeBack = this.#reusesIds || hasLost
  }
}

export interface Report {
  /** The sink's name. */
  readonly target: string
  readonly regressions: readonly string[]
  /** How often it was looked at. */
  readonly looks: number
}

/** Looks at one sink all the time, and remembers. */
export class Observer {
  readonly target: Target
  readonly #everyMs: number
  readonly #memory: Memory
  #regressions: string[] = []
  #looks = 0
  #isAway = false
  #looking: Promise<void> = Promise.resolve()
  readonly #stop = new AbortController()
  readonly #watching: Promise<void>
  /** Where the sink stood at the end of its last life: what it holds at such a position is old. */
  #past: Positions | undefined

  constructor(target: Target, everyMs: number) {
    this.target = target
    this.#everyMs = everyMs
    this.#memory = new Memory(target.subject)
    this.#watching = this.#watch()
    this.#watching.catch(() => {}) // Thrown by `stop`.
  }

  /** To be called between two lives: the sink will be cleared, and filled with a new generation. */
  async beginLife(): Promise<void> {
    this.#past = await this.target.positions()
    this.#memory.forget()
  }

  /** What was seen since the last report. */
  takeReport(): Report {
    const { name: target } = this.target
    const report = { target, regressions: this.#regressions, looks: this.#looks }
    this.#regressions = []
    this.#looks = 0
    return report
  }

  /** Until `lookAgain`: what it looks at is about to die. */
  async lookAway(): Promise<void> {
    this.#isAway = true
    await this.#looking
  }

  /** `hasLost`: the server has lost something by itself, which is nobody's regression. */
  lookAgain(hasLost: boolean): void {
    if (hasLost) this.#memory.forget(true)
    this.#isAway = false
  }

  async stop(): Promise<void> {
    this.#stop.abort()
    await this.#watching
    await this.target.close()
  }

  async #watch(): Promise<void> {
    const { signal } = this.#stop
    while (!signal.aborted) {
      if (!this.#isAway) await (this.#looking = this.#look())
      await sleep(this.#everyMs, undefined, { signal }).catch(() => {})
    }
  }

  /**
   * The positions are read first: a sink that stands elsewhere than in the past was cleared before.
   */
  async #look(): Promise<void> {
    const past = this.#past
    const positions = await this.target.positions()
    if (positions === undefined) return
    if (positions.some((position, i) => position !== null && position === past?.[i])) return
    const versions = await this.target.versions()
    if (versions === undefined || past !== this.#past) return
    this.#looks++
    this.#regressions.push(...this.#memory.note(versions))
  }
}
