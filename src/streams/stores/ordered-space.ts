import { createHash } from 'node:crypto'
import type { ByteWriter } from '../../core/byte-writer.ts'
import type { Store } from '../../core/store.ts'
import { textOf } from '../key.ts'
import { bytesPerEntry, type Cache, type CacheRoom } from '../state-cache.ts'

/*
 * One state's entries under keys of several parts: `<id: u16> <part> 00 <part> …`. A part is a text
 * in which neither 00 nor 01 occurs. A part too long for the store becomes
 * `<first characters> 01 <SHA-256 in hex>`, and the true parts stand in front of the value, as
 * `<length: u32> <JSON>`.
 */

const longestPart = 500
const keptOfLong = 32
const separator = '\u0000'
const mark = '\u0001'

export type Parts = readonly string[]

/**
 * Entries in the order of their parts, found by all of them or by the first few. Texts used last
 * stay in memory: to find one in LMDB and make a string of it took 2.7 of the 18 µs of a window's
 * count. As texts and not as values, because those go to code of the user.
 */
export class OrderedSpace {
  readonly #store: Store
  readonly #id: number
  readonly #out: ByteWriter
  readonly #cache: Cache<string>

  constructor(store: Store, id: number, out: ByteWriter, room: CacheRoom) {
    this.#store = store
    this.#id = id
    this.#out = out
    this.#cache = room.open(bytesOf)
  }

  get(parts: Parts): string | undefined {
    const name = nameOf(parts)
    const known = this.#cache.get(name)
    if (known !== undefined) return known
    const stored = this.#store.get(this.#key(parts))
    if (stored === undefined) return undefined
    const { text } = unwrap(parts.some(isLong), stored)
    this.#cache.set(name, text)
    return text
  }

  put(parts: Parts, value: string): void {
    const bytes = Buffer.from(value)
    this.#store.put(this.#key(parts), parts.some(isLong) ? wrap(parts, bytes) : bytes)
    // What is only listed by its key is not asked for.
    if (value === '') this.#forget(parts)
    else this.#cache.set(nameOf(parts), value)
  }

  delete(parts: Parts): void {
    this.#store.delete(this.#key(parts))
    this.#forget(parts)
  }

  #forget(parts: Parts): void {
    if (!this.#cache.isEmpty) this.#cache.delete(nameOf(parts))
  }

  /**
   * Entries that begin with these parts, in order; the next part begins with `next`. The space may
   * be written meanwhile.
   */
  *scan(first: Parts, next = ''): Generator<readonly [Parts, string]> {
    const prefix = this.#key([...first, next])
    for (const [bytes, stored] of this.#store.scan(prefix)) {
      const wasLong = bytes.includes(1, 2)
      const { parts, text } = unwrap(wasLong, stored)
      yield [parts ?? textOf(bytes, 2).split(separator), text]
    }
  }

  #key(parts: Parts): Buffer {
    const out = this.#out
    out.begin()
    out.reserve(2)
    out.bytes[out.at++] = this.#id >> 8
    out.bytes[out.at++] = this.#id
    for (let i = 0; i < parts.length; i++) {
      if (i > 0) out.byte(0)
      out.utf8(shortened(parts[i]!))
    }
    return out.take()
  }
}

function nameOf(parts: Parts): string {
  return parts.length === 1 ? parts[0]! : parts.join(separator)
}

function bytesOf(name: string, text: string): number {
  return name.length + text.length + bytesPerEntry
}

function isLong(part: string): boolean {
  return part.length > longestPart / 3 && Buffer.byteLength(part) > longestPart
}

function shortened(part: string): string {
  if (!isLong(part)) return part
  return part.slice(0, keptOfLong) + mark + createHash('sha256').update(part).digest('hex')
}

function wrap(parts: Parts, value: Buffer): Buffer {
  const text = Buffer.from(JSON.stringify(parts))
  const length = Buffer.allocUnsafe(4)
  length.writeUInt32BE(text.length)
  return Buffer.concat([length, text, value])
}

function unwrap(wasLong: boolean, stored: Uint8Array): { parts?: Parts; text: string } {
  if (!wasLong) return { text: textOf(stored) }
  const length = new DataView(stored.buffer, stored.byteOffset, 4).getUint32(0)
  const parts = JSON.parse(textOf(stored, 4, 4 + length)) as Parts
  return { parts, text: textOf(stored, 4 + length) }
}
