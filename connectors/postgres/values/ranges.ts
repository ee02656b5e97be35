import type { ByteWriter } from '../../../src/core/byte-writer.ts'
import type { ValueEncoder } from './encoder.ts'
import { readQuoted } from './unquote.ts'

/*
 * range       'empty' | ('[' | '(') bound ',' bound (']' | ')')
 * bound       nothing (unbounded) | text | quoted text
 * multirange  '{' (range (',' range)*)? '}'
 */

const quote = 0x22
const comma = 0x2c

/** `{"lower":1,"upper":5,"lowerInclusive":true,"upperInclusive":false,"empty":false}` */
export function rangeEncoder(encodeBound: ValueEncoder): ValueEncoder {
  return (out, input, start, end) => {
    writeRange(out, input, { start, end, encodeBound })
  }
}

/** An array of ranges. */
export function multirangeEncoder(encodeBound: ValueEncoder): ValueEncoder {
  return (out, input, start, end) => {
    out.byte(0x5b)
    let at = start + 1
    while (at < end - 1) {
      if (at > start + 1) out.byte(comma)
      at = writeRange(out, input, { start: at, end, encodeBound }) + 1
    }
    out.byte(0x5d)
  }
}

interface RangeText {
  readonly start: number
  readonly end: number
  readonly encodeBound: ValueEncoder
}

/** Returns where the range ends. */
function writeRange(out: ByteWriter, input: Buffer, text: RangeText): number {
  const { start } = text
  if (input[start] === 0x65) {
    out.ascii(
      '{"lower":null,"upper":null,"lowerInclusive":false,"upperInclusive":false,"empty":true}',
    )
    return start + 'empty'.length
  }
  out.ascii('{"lower":')
  const middle = writeBound(out, input, { ...text, start: start + 1 })
  out.ascii(',"upper":')
  const last = writeBound(out, input, { ...text, start: middle + 1 })
  out.ascii(input[start] === 0x5b ? ',"lowerInclusive":true' : ',"lowerInclusive":false')
  out.ascii(input[last] === 0x5d ? ',"upperInclusive":true' : ',"upperInclusive":false')
  out.ascii(',"empty":false}')
  return last + 1
}

/** Returns where the bound ends: at a comma, a bracket or a parenthesis. */
function writeBound(out: ByteWriter, input: Buffer, { start, end, encodeBound }: RangeText) {
  if (input[start] === quote) {
    const text = readQuoted(input, start, end)
    encodeBound(out, text.input, text.start, text.end)
    return text.next
  }
  let at = start
  while (at < end && input[at] !== comma && input[at] !== 0x29 && input[at] !== 0x5d) at++
  if (at === start) out.ascii('null')
  else encodeBound(out, input, start, at)
  return at
}
