import type { Key } from './key.ts'
import type { StoredRow } from './stored-row.ts'

/** A parsed row takes about this many times its text, and this much besides. */
const bytesPerCharacter = 5
const bytesPerRow = 250

/**
 * The rows used last, within a budget of bytes. Two generations instead of a list: rows in use move
 * to the young one, and when that holds half of the budget, the old one is dropped as a whole. So a
 * hit costs one look-up, not a reordering.
 */
export class RowCache {
  readonly #halfBytes: number
  #young = new Map<Key, StoredRow>()
  #old = new Map<Key, StoredRow>()
  #bytes = 0

  constructor(bytes: number) {
    this.#halfBytes = bytes / 2
  }

  get(key: Key): StoredRow | undefined {
    const young = this.#young.get(key)
    if (young !== undefined) return young
    const old = this.#old.get(key)
    if (old !== undefined) this.set(key, old)
    return old
  }

  set(key: Key, row: StoredRow): void {
    this.#young.set(key, row)
    this.#bytes += row.text.length * bytesPerCharacter + bytesPerRow
    if (this.#bytes < this.#halfBytes) return
    this.#old = this.#young
    this.#young = new Map()
    this.#bytes = 0
  }

  delete(key: Key): void {
    this.#young.delete(key)
    this.#old.delete(key)
  }
}
