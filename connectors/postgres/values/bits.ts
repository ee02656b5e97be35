import { writeBytes } from './binary.ts'
import type { ValueEncoder } from './encoder.ts'
import type { ValueModes } from './modes.ts'

/** bit(1) and varbit(1) as Debezium sees them. An empty varbit(1) is neither true nor false. */
export const encodeBitAsBoolean: ValueEncoder = (out, input, start, end) => {
  out.ascii(start === end ? 'null' : input[start] === 0x31 ? 'true' : 'false')
}

/** Longer bit strings as Debezium's Bits: the last bit of the text is the lowest of the first byte. */
export function bitsEncoder(mode: ValueModes['binary']): ValueEncoder {
  return (out, input, start, end) => {
    const bytes = Buffer.alloc(Math.ceil((end - start) / 8))
    for (let i = end - 1, bit = 0; i >= start; i--, bit++) {
      if (input[i] === 0x31) bytes[bit >> 3]! |= 1 << (bit & 7)
    }
    out.byte(0x22)
    writeBytes(out, bytes, mode)
    out.byte(0x22)
  }
}
