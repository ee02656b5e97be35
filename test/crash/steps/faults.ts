import { MillraceError } from '../../../src/core/errors.ts'

/**
 * The places at which a run can fail: before and after each step of each pump. Each has a name such
 * as `before log→views commit 3`, so that a run without failures tells all the others where to
 * fail.
 */
export class Faults {
  /** The places that were passed, in order. */
  readonly passed: string[] = []
  readonly #counts = new Map<string, number>()
  readonly #at: string | undefined
  readonly #onFailure: () => void
  #hasFailed = false
  #isOver = false

  constructor(at?: string, onFailure: () => void = () => {}) {
    this.#at = at
    this.#onFailure = onFailure
  }

  get hasFailed(): boolean {
    return this.#hasFailed
  }

  get isOver(): boolean {
    return this.#isOver
  }

  /** From now on every step fails, as none is done in a process that is dead. */
  end(): void {
    this.#isOver = true
  }

  async step<T>(name: string, work: () => Promise<T>): Promise<T> {
    this.#pass(`before ${name}`)
    const result = await work()
    this.#pass(`after ${name}`)
    return result
  }

  stepNow(name: string, work: () => void): void {
    this.#pass(`before ${name}`)
    work()
    this.#pass(`after ${name}`)
  }

  #pass(name: string): void {
    if (this.#isOver) throw new MillraceError('CONNECTION_LOST', 'The process is dead.')
    const count = (this.#counts.get(name) ?? 0) + 1
    this.#counts.set(name, count)
    const place = `${name} ${count}`
    this.passed.push(place)
    if (place !== this.#at || this.#hasFailed) return
    this.#hasFailed = true
    this.#onFailure()
    throw new MillraceError('CONNECTION_LOST', `Failed ${place}.`)
  }
}
