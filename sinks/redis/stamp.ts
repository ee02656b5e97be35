/*
 * What is known of a state beside its content, in 44 bytes, which is what Redis stores inside the
 * object itself:
 *
 *   version:20 ordinal:10 u|d key:6 owner:5 generation:2
 *
 * Version and ordinal are zero-padded digits, because a number in Lua is a double and loses digits
 * beyond 2^53, while digits of one width compare exactly in every locale. `u` is something written,
 * `d` something deleted. `key` is a digest of the record's key, which tells apart two keys of one
 * id; `owner` is one of the sink's place: only what carries ours is ever cleared. `generation`
 * counts how often the sink has filled Redis: what a fill has not met again is swept after it.
 */
import { crc32 } from 'node:zlib'

export const stampLength = 44
export const ownerLength = 5

/** Where Lua finds the parts of a stamp: first and last byte, counted from 1. */
export const stampParts = {
  version: '1, 20',
  ordinal: '21, 30',
  state: '31, 31',
  key: '32, 37',
  owner: '38, 42',
  generation: '43, 44',
} as const

/** Who writes: the digest of the sink's place, and how often it has begun to fill Redis. */
export interface Writer {
  readonly owner: string
  readonly generation: number
}

/** A state that a stamp tells of. */
export interface Stamped {
  readonly version: bigint
  readonly ordinal: number
  /** The record's key. */
  readonly key: Uint8Array
}

export function stampOf({ version, ordinal, key }: Stamped, deleted: boolean, writer: Writer) {
  const state = deleted ? 'd' : 'u'
  // 31 bits: no more fit into six letters.
  const digest = (crc32(key) >>> 1).toString(36).padStart(6, '0')
  const head = `${String(version).padStart(20, '0')}${String(ordinal).padStart(10, '0')}`
  return `${head}${state}${digest}${writer.owner}${generationText(writer.generation)}`
}

/** Two letters, so that after 1,296 fills they come again. */
export function generationText(generation: number): string {
  return (generation % 1296).toString(36).padStart(2, '0')
}

/** What a stamp says of a document's state. */
export interface Stamp {
  readonly version: bigint
  readonly deleted: boolean
  readonly owner: string
}

/** `undefined` if the text is no stamp. */
export function readStamp(text: string): Stamp | undefined {
  if (text.length !== stampLength || !/^\d{30}[ud]/.test(text)) return undefined
  return {
    version: BigInt(text.slice(0, 20)),
    deleted: text[30] === 'd',
    owner: text.slice(37, 42),
  }
}
