import type { ValueEncoder } from './encoder.ts'

/**
 * json and jsonb as they are, nested. json keeps the white space it was written with, and a line
 * break there would end the row's line: it becomes a space. Inside a string it cannot occur.
 */
export const encodeJson: ValueEncoder = (out, input, start, end) => {
  out.reserve(end - start)
  const { bytes } = out
  const from = out.at
  if (end - start >= longJson) {
    out.copy(input, start, end)
    const copied = bytes.subarray(from, out.at)
    breakFree(copied, 0x0a)
    breakFree(copied, 0x0d)
    return
  }
  let at = from
  for (let i = start; i < end; i++) {
    const byte = input[i]!
    bytes[at++] = byte === 0x0a || byte === 0x0d ? 0x20 : byte
  }
  out.at = at
}

/** From this length on native copies and searches beat the loop. */
const longJson = 512

function breakFree(bytes: Buffer, lineBreak: number): void {
  for (let i = bytes.indexOf(lineBreak); i >= 0; i = bytes.indexOf(lineBreak, i + 1)) {
    bytes[i] = 0x20
  }
}
