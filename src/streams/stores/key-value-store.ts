import type { Json } from '../../core/json.ts'
import type { OrderedSpace } from './ordered-space.ts'
import { decodeStamped, encodeStamped, type Stamped } from './stamped.ts'
import { decodeKey, encodeKey } from './value-codec.ts'

/** One value a key, with its time. */
export class KeyValueStore {
  readonly #space: OrderedSpace

  constructor(space: OrderedSpace) {
    this.#space = space
  }

  get(key: Json): Stamped | null {
    const text = this.#space.get([encodeKey(key)])
    return text === undefined ? null : decodeStamped(text)
  }

  /** A null value deletes. */
  put(key: Json, stamped: Stamped): void {
    const parts = [encodeKey(key)]
    if (stamped.value === null) this.#space.delete(parts)
    else this.#space.put(parts, encodeStamped(stamped))
  }

  *entries(): Generator<readonly [Json, Stamped]> {
    for (const [[key], text] of this.#space.scan([])) yield [decodeKey(key!), decodeStamped(text)]
  }
}
