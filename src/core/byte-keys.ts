/*
 * Keys of bytes as strings: Latin-1 keeps the order of bytes, and strings can be keys of a Map.
 */

export function keyText(key: Uint8Array): string {
  return bufferOf(key).toString('latin1')
}

/** The same bytes as a Buffer, which most of them are already. */
export function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
}

/** Where `key` stands among sorted keys, or would stand. */
export function lowerBound(sorted: readonly string[], key: string): number {
  let low = 0
  let high = sorted.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (sorted[middle]! < key) low = middle + 1
    else high = middle
  }
  return low
}
