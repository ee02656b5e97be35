import type { ByteWriter } from '../../../src/core/byte-writer.ts'

const zero = 0x30

/** A whole number of up to 2^53, in bare digits. */
export function writeDigits(out: ByteWriter, value: number): void {
  if (value < 0) {
    out.byte(0x2d)
    writeDigits(out, -value)
    return
  }
  if (value >= 1e9) {
    const high = Math.floor(value / 1e8)
    writeDigits(out, high)
    writePadded(out, value - high * 1e8, 8)
    return
  }
  // What fits 32 bits is several times faster than doubles are.
  let width = 1
  for (let limit = 10; value >= limit && width < 9; limit *= 10) width++
  writePadded(out, value, width)
}

/** Exactly `width` digits, with zeros in front. */
export function writePadded(out: ByteWriter, value: number, width: number): void {
  out.reserve(width)
  const { bytes, at } = out
  let rest = value
  let i = at + width - 1
  for (; rest > 0x7fffffff; i--) {
    const next = Math.floor(rest / 10)
    bytes[i] = zero + (rest - next * 10)
    rest = next
  }
  // What fits 32 bits is divided as an integer.
  for (let small = rest | 0; i >= at; i--) {
    const next = (small / 10) | 0
    bytes[i] = zero + (small - next * 10)
    small = next
  }
  out.at = at + width
}

/**
 * Seconds and nanoseconds as one whole number of units, `places` digits to a second; what is finer
 * than a unit is rounded down. The digits are put side by side, since the sum may lie beyond 2^53.
 */
export function writeScaled(
  out: ByteWriter,
  { seconds, nanos }: { readonly seconds: number; readonly nanos: number },
  places: 3 | 6 | 9,
): void {
  const perSecond = 10 ** places
  const units = Math.floor(nanos / (1_000_000_000 / perSecond))
  const negative = seconds < 0
  // Of -1.25 s, given as -2 s and 750 ms, the digits are those of 1 s and 250 ms.
  const borrow = negative && units > 0
  const whole = negative ? -seconds - (borrow ? 1 : 0) : seconds
  const fraction = borrow ? perSecond - units : units
  if (negative) out.byte(0x2d)
  if (whole === 0) {
    writeDigits(out, fraction)
  } else {
    writeDigits(out, whole)
    writePadded(out, fraction, places)
  }
}
