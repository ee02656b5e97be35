import type { Row } from '../core/json.ts'
import type { Key } from './key.ts'
import type { Change } from './node.ts'

/** A table that can say what it held at a key before the round, and what it holds now. */
export interface Derived {
  get(key: Key): Row | null
  before(key: Key): Row | null
}

/** A change that is worked out when somebody asks; most are only counted by their key. */
export class DerivedChange implements Change {
  readonly #table: Derived
  readonly #key: Key
  #before: Row | null | undefined
  #after: Row | null | undefined

  constructor(table: Derived, key: Key) {
    this.#table = table
    this.#key = key
  }

  get before(): Row | null {
    if (this.#before === undefined) this.#before = this.#table.before(this.#key)
    return this.#before
  }

  get after(): Row | null {
    if (this.#after === undefined) this.#after = this.#table.get(this.#key)
    return this.#after
  }
}
