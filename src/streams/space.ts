import { createHash } from 'node:crypto'
import type { ByteWriter } from '../core/byte-writer.ts'
import type { Store } from '../core/store.ts'
import { type Key, textOf } from './key.ts'

/*
 * One state's entries in the store: `<id: u16> <part> [00 <part>]`. A part is a key's UTF-8 text,
 * in which neither 00 nor 01 occurs, so that key 1 never sees the entries of key 12. A text too
 * long for the store becomes `<first bytes> 01 <SHA-256>`, and the full text stands in front of the
 * value, as `<length: u32> <text>`.
 */

const longestPart = 900
const keptOfLong = 64

/** Keys and values. */
export class Space {
  readonly #store: Store
  readonly #id: number
  readonly #out: ByteWriter

  constructor(store: Store, id: number, out: ByteWriter) {
    this.#store = store
    this.#id = id
    this.#out = out
  }

  get(key: Key): Uint8Array | undefined {
    const value = this.#store.get(this.#key(key))
    return value !== undefined && isLong(key) ? unwrap(value).value : value
  }

  put(key: Key, value: Uint8Array): void {
    this.#store.put(this.#key(key), isLong(key) ? wrap(key, value) : value)
  }

  delete(key: Key): void {
    this.#store.delete(this.#key(key))
  }

  /** Every entry, in the order of the keys' bytes. */
  *entries(): Generator<readonly [Key, Uint8Array]> {
    for (const [bytes, stored] of this.#store.scan(prefix(this.#out, this.#id))) {
      if (bytes.includes(1, 2)) {
        const { key, value } = unwrap(stored)
        yield [key, value]
      } else {
        yield [textOf(bytes, 2), stored]
      }
    }
  }

  #key(key: Key): Buffer {
    const out = this.#out
    out.begin()
    writeId(out, this.#id)
    writePart(out, key)
    return out.take()
  }
}

/** An index: pairs of keys, found by the first. */
export class PairSpace {
  readonly #store: Store
  readonly #id: number
  readonly #out: ByteWriter

  constructor(store: Store, id: number, out: ByteWriter) {
    this.#store = store
    this.#id = id
    this.#out = out
  }

  put(first: Key, second: Key): void {
    this.#store.put(this.#pair(first, second), isLong(second) ? wrap(second, nothing) : nothing)
  }

  delete(first: Key, second: Key): void {
    this.#store.delete(this.#pair(first, second))
  }

  *seconds(first: Key): Generator<Key> {
    const before = this.#pair(first, '')
    for (const [bytes, value] of this.#store.scan(before)) {
      yield bytes.includes(1, before.length) ? unwrap(value).key : textOf(bytes, before.length)
    }
  }

  #pair(first: Key, second: Key): Buffer {
    const out = this.#out
    out.begin()
    writeId(out, this.#id)
    writePart(out, first)
    out.byte(0)
    writePart(out, second)
    return out.take()
  }
}

/** What every key of a state starts with. */
export function prefix(out: ByteWriter, id: number): Buffer {
  out.begin()
  writeId(out, id)
  return out.take()
}

const nothing = new Uint8Array(0)

function writeId(out: ByteWriter, id: number): void {
  out.reserve(2)
  out.bytes[out.at++] = id >> 8
  out.bytes[out.at++] = id
}

function writePart(out: ByteWriter, text: Key): void {
  if (text.length < 24) writeShort(out, text)
  else if (isLong(text)) writeLong(out, text)
  else out.utf8(text)
}

/** Most keys are a few digits: a loop is cheaper than a call into native code. */
function writeShort(out: ByteWriter, text: Key): void {
  out.reserve(text.length * 3)
  const { bytes } = out
  let at = out.at
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code > 0x7f) {
      out.utf8(text)
      return
    }
    bytes[at++] = code
  }
  out.at = at
}

function writeLong(out: ByteWriter, text: Key): void {
  const bytes = Buffer.from(text)
  out.copy(bytes, 0, keptOfLong)
  out.byte(1)
  out.copy(createHash('sha256').update(bytes).digest())
}

function isLong(text: Key): boolean {
  return text.length > longestPart / 3 && Buffer.byteLength(text) > longestPart
}

function wrap(key: Key, value: Uint8Array): Buffer {
  const text = Buffer.from(key)
  const wrapped = Buffer.allocUnsafe(4 + text.length + value.length)
  wrapped.writeUInt32BE(text.length)
  wrapped.set(text, 4)
  wrapped.set(value, 4 + text.length)
  return wrapped
}

function unwrap(stored: Uint8Array): { readonly key: Key; readonly value: Uint8Array } {
  const length = new DataView(stored.buffer, stored.byteOffset, 4).getUint32(0)
  return { key: textOf(stored, 4, 4 + length), value: stored.subarray(4 + length) }
}
