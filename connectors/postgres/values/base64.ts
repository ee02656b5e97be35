import type { ByteWriter } from '../../../src/core/byte-writer.ts'

/** RFC 4648: the standard alphabet, and the one for URLs. Both are padded with `=`. */
export const base64: Uint8Array = Buffer.from(
  'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/',
  'latin1',
)
export const base64Url: Uint8Array = Buffer.from(
  'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_',
  'latin1',
)

/** The first `length` bytes in base64, without quotes. */
export function writeBase64(
  out: ByteWriter,
  bytes: Uint8Array,
  length = bytes.length,
  alphabet = base64,
): void {
  out.reserve(Math.ceil(length / 3) * 4)
  const target = out.bytes
  let at = out.at
  let i = 0
  for (; i + 2 < length; i += 3) {
    const group = (bytes[i]! << 16) | (bytes[i + 1]! << 8) | bytes[i + 2]!
    target[at++] = alphabet[group >> 18]!
    target[at++] = alphabet[(group >> 12) & 63]!
    target[at++] = alphabet[(group >> 6) & 63]!
    target[at++] = alphabet[group & 63]!
  }
  if (i < length) {
    const group = (bytes[i]! << 16) | ((i + 1 < length ? bytes[i + 1]! : 0) << 8)
    target[at++] = alphabet[group >> 18]!
    target[at++] = alphabet[(group >> 12) & 63]!
    target[at++] = i + 1 < length ? alphabet[(group >> 6) & 63]! : 0x3d
    target[at++] = 0x3d
  }
  out.at = at
}
