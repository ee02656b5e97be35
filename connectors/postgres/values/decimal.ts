import { writeDigits } from './digits.ts'
import type { ValueEncoder } from './encoder.ts'
import { encodeInteger } from './numbers.ts'
import { encodeBareText } from './text.ts'
import { writeUnscaled } from './unscaled.ts'

/*
 * numeric arrives as plain digits, `-12.3400`, never with an exponent; or NaN, Infinity, -Infinity.
 */

const dot = 0x2e

/** Exact digits in a string; NaN and the infinities under the server's names. */
export const encodeDecimal: ValueEncoder = encodeBareText

/** Debezium's `string`: exact digits, and Java's names of constants for the special values. */
export const encodeDecimalString: ValueEncoder = (out, input, start, end) => {
  if (isNumber(input, end)) encodeBareText(out, input, start, end)
  else out.ascii(specialNames[end - start]!)
}

/** Debezium's `double`. */
export const encodeDecimalDouble: ValueEncoder = (out, input, start, end) => {
  if (!isNumber(input, end)) return encodeBareText(out, input, start, end)
  // Fifteen digits read back as the same double however they are rounded.
  if (end - start <= 15) return encodeInteger(out, input, start, end)
  const double = Number(input.toString('latin1', start, end))
  out.ascii(Number.isFinite(double) ? String(double) : `"${double}"`)
}

/**
 * Debezium's `precise` for a column with a scale: the unscaled number, big-endian two's complement,
 * in base64. It has no NaN; Debezium writes null or stops, we write null.
 */
export function preciseEncoder(scale: number): ValueEncoder {
  return (out, input, start, end) => {
    if (!isNumber(input, end)) return out.ascii('null')
    out.byte(0x22)
    writeUnscaled(out, input, { start, end, scale })
    out.byte(0x22)
  }
}

/** The same without a scale of the column's: every value brings its own. */
export const encodeVariablePrecise: ValueEncoder = (out, input, start, end) => {
  if (!isNumber(input, end)) return out.ascii('null')
  const scale = decimalPlaces(input, start, end)
  out.copy(scaleLabel)
  writeDigits(out, scale)
  out.copy(valueLabel)
  writeUnscaled(out, input, { start, end, scale })
  out.byte(0x22)
  out.byte(0x7d)
}

const scaleLabel = Buffer.from('{"scale":')
const valueLabel = Buffer.from(',"value":"')

/** The digits after the point. */
export function decimalPlaces(input: Buffer, start: number, end: number): number {
  for (let i = end - 1; i >= start; i--) if (input[i] === dot) return end - 1 - i
  return 0
}

/** By length: NaN, Infinity, -Infinity. */
const specialNames: Readonly<Record<number, string>> = {
  3: '"NAN"',
  8: '"POSITIVE_INFINITY"',
  9: '"NEGATIVE_INFINITY"',
}

function isNumber(input: Buffer, end: number): boolean {
  return input[end - 1]! <= 0x39
}
