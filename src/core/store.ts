/**
 * Sorted keys and values that a task keeps between commits. Reads see its own uncommitted writes.
 * Keys are compared byte by byte and hold at most 1,900 bytes; a value may have any length.
 */
export interface Store {
  get(key: Uint8Array): Uint8Array | undefined
  put(key: Uint8Array, value: Uint8Array): void
  delete(key: Uint8Array): void
  /**
   * Every entry whose key starts with `prefix`, in key order. The store may be written meanwhile.
   */
  scan(prefix: Uint8Array): Iterable<readonly [key: Uint8Array, value: Uint8Array]>
}
