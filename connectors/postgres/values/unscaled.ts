import type { ByteWriter } from '../../../src/core/byte-writer.ts'
import { writeBase64 } from './base64.ts'

interface DecimalText {
  readonly start: number
  readonly end: number
  /** Places after the point that the result counts; negative where trailing zeros are not kept. */
  readonly scale: number
}

/**
 * Writes `text × 10^scale` as Java's BigInteger in base64: the fewest bytes of big-endian two's
 * complement that hold the number.
 */
export function writeUnscaled(out: ByteWriter, input: Buffer, text: DecimalText): void {
  if (text.end - text.start > shortDigits) {
    writeBase64(out, bytesOfBigInt(BigInt(scaledDigits(input, text))))
    return
  }
  const value = shortUnscaled(input, text)
  if (Number.isSafeInteger(value)) writeNumber(out, value)
  else writeBase64(out, bytesOfBigInt(BigInt(scaledDigits(input, text))))
}

/** So many digits are exact in a double. */
const shortDigits = 15
const minus = 0x2d
const dot = 0x2e

/** The number as a double; unsafe or a fraction where the scale does not fit the digits. */
function shortUnscaled(input: Buffer, { start, end, scale }: DecimalText): number {
  const negative = input[start] === minus
  let value = 0
  let places = -1
  for (let i = negative ? start + 1 : start; i < end; i++) {
    const byte = input[i]!
    if (byte === dot) places = 0
    else {
      value = value * 10 + byte - 0x30
      if (places >= 0) places++
    }
  }
  const missing = scale - Math.max(places, 0)
  if (missing !== 0) value = missing > 0 ? value * 10 ** missing : value / 10 ** -missing
  return negative ? -value : value
}

/** -n is the complement of n - 1; the highest bit is the sign's. */
function writeNumber(out: ByteWriter, value: number): void {
  const negative = value < 0
  const magnitude = negative ? -value - 1 : value
  let size = 1
  for (let limit = 0x80; magnitude >= limit; limit *= 0x100) size++
  // Written where the text ends up, then turned into base64 from there, front to back.
  out.reserve(32)
  const bytes = out.bytes.subarray(out.at + 16, out.at + 24)
  let rest = magnitude
  for (let i = size - 1; i >= 0; i--) {
    const next = Math.floor(rest / 0x100)
    bytes[i] = negative ? ~(rest - next * 0x100) : rest - next * 0x100
    rest = next
  }
  writeBase64(out, bytes, size)
}

function scaledDigits(input: Buffer, { start, end, scale }: DecimalText): string {
  const digits = input.toString('latin1', start, end)
  const point = digits.indexOf('.')
  const places = point < 0 ? 0 : digits.length - 1 - point
  const whole = point < 0 ? digits : digits.slice(0, point) + digits.slice(point + 1)
  const missing = scale - places
  return missing < 0 ? whole.slice(0, missing) : whole + '0'.repeat(missing)
}

function bytesOfBigInt(value: bigint): Uint8Array {
  const negative = value < 0n
  const hex = (negative ? -value - 1n : value).toString(16)
  const even = hex.length % 2 === 0 ? hex : `0${hex}`
  const bytes = Buffer.from(even >= '8' ? `00${even}` : even, 'hex')
  if (negative) for (let i = 0; i < bytes.length; i++) bytes[i] = ~bytes[i]!
  return bytes
}
