import type { ByteWriter } from '../../../src/core/byte-writer.ts'
import { base64, base64Url, writeBase64 } from './base64.ts'
import type { ValueEncoder } from './encoder.ts'
import type { ValueModes } from './modes.ts'
import { encodeBareText } from './text.ts'

/*
 * bytea arrives as `\x` and two hex digits a byte (bytea_output = hex).
 */

type BinaryMode = ValueModes['binary']

const quote = 0x22

/** A bytea in base64 (`bytes` is Connect's name for it) or hex. */
export function byteaEncoder(mode: BinaryMode): ValueEncoder {
  if (mode === 'hex') {
    return (out, input, start, end) => encodeBareText(out, input, start + 2, end)
  }
  const alphabet = alphabetOf(mode)
  return (out, input, start, end) =>
    writeHexAsBase64(out, input, { start: start + 2, end, alphabet })
}

/** Any value's text taken as bytes: what Debezium makes of a type that it does not know. */
export function textAsBytesEncoder(mode: BinaryMode): ValueEncoder {
  return (out, input, start, end) => {
    out.byte(quote)
    writeBytes(out, input.subarray(start, end), mode)
    out.byte(quote)
  }
}

/** The contents of the string that stands for `bytes`. */
export function writeBytes(out: ByteWriter, bytes: Uint8Array, mode: BinaryMode): void {
  if (mode === 'hex') out.ascii(Buffer.from(bytes).toString('hex'))
  else writeBase64(out, bytes, bytes.length, alphabetOf(mode))
}

function alphabetOf(mode: BinaryMode): Uint8Array {
  return mode === 'base64-url-safe' ? base64Url : base64
}

interface HexText {
  readonly start: number
  readonly end: number
  readonly alphabet: Uint8Array
}

/** Six hex digits are four of base64. */
function writeHexAsBase64(out: ByteWriter, input: Buffer, { start, end, alphabet }: HexText): void {
  out.reserve(Math.ceil((end - start) / 6) * 4 + 2)
  const { bytes } = out
  let at = out.at
  bytes[at++] = quote
  let i = start
  for (; i + 5 < end; i += 6) {
    const group = (hexByte(input, i) << 16) | (hexByte(input, i + 2) << 8) | hexByte(input, i + 4)
    bytes[at++] = alphabet[group >> 18]!
    bytes[at++] = alphabet[(group >> 12) & 63]!
    bytes[at++] = alphabet[(group >> 6) & 63]!
    bytes[at++] = alphabet[group & 63]!
  }
  if (i < end) {
    const two = i + 2 < end
    const group = (hexByte(input, i) << 16) | (two ? hexByte(input, i + 2) << 8 : 0)
    bytes[at++] = alphabet[group >> 18]!
    bytes[at++] = alphabet[(group >> 12) & 63]!
    bytes[at++] = two ? alphabet[(group >> 6) & 63]! : 0x3d
    bytes[at++] = 0x3d
  }
  bytes[at++] = quote
  out.at = at
}

function hexByte(input: Buffer, at: number): number {
  return (hexValue(input[at]!) << 4) | hexValue(input[at + 1]!)
}

/** `0`-`9` are 0x30 to 0x39, `a`-`f` 0x61 to 0x66. */
function hexValue(digit: number): number {
  return (digit & 15) + (digit >> 6) * 9
}
