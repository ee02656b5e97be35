import { keyText, lowerBound } from '../core/byte-keys.ts'
import type { Store } from '../core/store.ts'

const fullChunk = 512

/** A store in memory, in order, that can take back what was written since the last commit. */
export class MemoryStore implements Store {
  /** Keys as Latin-1 text, which keeps the order of bytes, in sorted chunks. */
  readonly #chunks: string[][] = [[]]
  readonly #values = new Map<string, Uint8Array>()
  /** What was there before the first write since the last commit. */
  readonly #undo = new Map<string, Uint8Array | undefined>()

  get size(): number {
    return this.#values.size
  }

  get(key: Uint8Array): Uint8Array | undefined {
    return this.#values.get(keyText(key))
  }

  put(key: Uint8Array, value: Uint8Array): void {
    this.#set(keyText(key), value)
  }

  delete(key: Uint8Array): void {
    this.#set(keyText(key), undefined)
  }

  *scan(prefix: Uint8Array): Generator<readonly [Uint8Array, Uint8Array]> {
    const first = keyText(prefix)
    // Positions move when the store is written meanwhile, so each step looks its place up again.
    let key = this.#next(first, true)
    while (key?.startsWith(first)) {
      yield [Buffer.from(key, 'latin1'), this.#values.get(key)!]
      key = this.#next(key, false)
    }
  }

  commit(): void {
    this.#undo.clear()
  }

  rollback(): void {
    for (const [key, value] of [...this.#undo]) this.#set(key, value)
    this.#undo.clear()
  }

  #set(key: string, value: Uint8Array | undefined): void {
    const old = this.#values.get(key)
    if (!this.#undo.has(key)) this.#undo.set(key, old)
    if (value === undefined) {
      if (old !== undefined) this.#remove(key)
      return
    }
    if (old === undefined) this.#insert(key)
    this.#values.set(key, value)
  }

  #insert(key: string): void {
    const at = this.#chunkOf(key)
    const chunk = this.#chunks[at]!
    chunk.splice(lowerBound(chunk, key), 0, key)
    if (chunk.length > fullChunk) this.#chunks.splice(at + 1, 0, chunk.splice(fullChunk / 2))
  }

  #remove(key: string): void {
    const at = this.#chunkOf(key)
    const chunk = this.#chunks[at]!
    chunk.splice(lowerBound(chunk, key), 1)
    if (chunk.length === 0 && this.#chunks.length > 1) this.#chunks.splice(at, 1)
    this.#values.delete(key)
  }

  #next(key: string, inclusive: boolean): string | undefined {
    const at = this.#chunkOf(key)
    const chunk = this.#chunks[at]!
    let place = lowerBound(chunk, key)
    if (!inclusive && chunk[place] === key) place++
    return chunk[place] ?? this.#chunks[at + 1]?.[0]
  }

  /** The last chunk that starts at or before the key. */
  #chunkOf(key: string): number {
    let low = 0
    let high = this.#chunks.length - 1
    while (low < high) {
      const middle = (low + high + 1) >>> 1
      if (this.#chunks[middle]![0]! <= key) low = middle
      else high = middle - 1
    }
    return low
  }
}
