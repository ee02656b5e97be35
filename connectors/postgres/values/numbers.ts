import type { ValueEncoder } from './encoder.ts'
import { encodeBareText } from './text.ts'

/** Digits as they are: int2, int4, int8, oid. No number is made of them, so none is lost. */
export const encodeInteger: ValueEncoder = (out, input, start, end) => {
  out.reserve(end - start)
  const { bytes } = out
  let at = out.at
  for (let i = start; i < end; i++) bytes[at++] = input[i]!
  out.at = at
}

/** The server prints the shortest form that reads back as the same float; NaN is no JSON number. */
export const encodeFloat: ValueEncoder = (out, input, start, end) => {
  const last = input[end - 1]!
  if (last >= 0x30 && last <= 0x39) encodeInteger(out, input, start, end)
  else encodeBareText(out, input, start, end)
}

/** `t` or `f`. */
export const encodeBoolean: ValueEncoder = (out, input, start) => {
  const truth = input[start] === 0x74
  out.reserve(5)
  const { bytes, at } = out
  bytes[at] = truth ? 0x74 : 0x66
  bytes[at + 1] = truth ? 0x72 : 0x61
  bytes[at + 2] = truth ? 0x75 : 0x6c
  bytes[at + 3] = truth ? 0x65 : 0x73
  if (!truth) bytes[at + 4] = 0x65
  out.at = at + (truth ? 4 : 5)
}
