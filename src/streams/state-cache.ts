import type { Key } from './key.ts'

/** Beside its text, an entry takes about this much: the map's slot, two strings' heads. */
export const bytesPerEntry = 120

/** What caches may hold together, in bytes, unless somebody says otherwise. */
export const defaultCacheBytes = 32 * 1024 * 1024

/**
 * How much the caches of one state, or of many, may hold together, in bytes. Two generations
 * instead of a list: what is in use moves to the young one, and when those hold half of the budget,
 * the old ones are dropped as a whole. So a hit costs one look-up, not a reordering.
 */
export class CacheRoom {
  readonly #halfBytes: number
  /** Weakly: a state that is opened anew leaves its caches behind. */
  readonly #caches = new Set<WeakRef<Cache<unknown>>>()
  #bytes = 0

  constructor(bytes = defaultCacheBytes) {
    this.#halfBytes = bytes / 2
  }

  /** Another cache in this room. `bytesOf` says about how much memory an entry takes. */
  open<V>(bytesOf: (key: Key, value: V) => number): Cache<V> {
    const cache = new Cache<V>(this, bytesOf)
    this.#caches.add(new WeakRef(cache as Cache<unknown>))
    return cache
  }

  /** Room for so many more. */
  take(bytes: number): void {
    this.#bytes += bytes
    if (this.#bytes < this.#halfBytes) return
    for (const known of this.#caches) {
      const cache = known.deref()
      if (cache === undefined) this.#caches.delete(known)
      else cache.age()
    }
    this.#bytes = 0
  }
}

/** The entries used last. Values are not `undefined`. */
export class Cache<V> {
  readonly #room: CacheRoom
  readonly #bytesOf: (key: Key, value: V) => number
  #young = new Map<Key, V>()
  #old = new Map<Key, V>()

  constructor(room: CacheRoom, bytesOf: (key: Key, value: V) => number) {
    this.#room = room
    this.#bytesOf = bytesOf
  }

  get(key: Key): V | undefined {
    const young = this.#young.get(key)
    if (young !== undefined) return young
    const old = this.#old.get(key)
    if (old !== undefined) this.set(key, old)
    return old
  }

  set(key: Key, value: V): void {
    this.#young.set(key, value)
    this.#room.take(this.#bytesOf(key, value))
  }

  get isEmpty(): boolean {
    return this.#young.size === 0 && this.#old.size === 0
  }

  delete(key: Key): void {
    this.#young.delete(key)
    this.#old.delete(key)
  }

  /** Drops what was not used since the last time. */
  age(): void {
    this.#old = this.#young
    this.#young = new Map()
  }
}
