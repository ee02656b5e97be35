import { writeBase64 } from './base64.ts'
import type { ValueEncoder } from './encoder.ts'

/** bit(1) and varbit(1) as Debezium sees them. An empty varbit(1) is neither true nor false. */
export const encodeBitAsBoolean: ValueEncoder = (out, input, start, end) => {
  out.ascii(start === end ? 'null' : input[start] === 0x31 ? 'true' : 'false')
}

/**
 * Longer bit strings as Debezium's Bits, in base64 whatever the mode of bytea: the last bit of the
 * text is the lowest of the first byte.
 */
export const encodeBits: ValueEncoder = (out, input, start, end) => {
  const bytes = Buffer.alloc(Math.ceil((end - start) / 8))
  for (let i = end - 1, bit = 0; i >= start; i--, bit++) {
    if (input[i] === 0x31) bytes[bit >> 3]! |= 1 << (bit & 7)
  }
  out.byte(0x22)
  writeBase64(out, bytes)
  out.byte(0x22)
}
