import type { Encoding, ValueEncoder } from './encoder.ts'
import { readQuoted } from './unquote.ts'

/*
 * array      [bounds '='] '{' (element (delimiter element)*)? '}'
 * bounds     '[0:2][1:3]': only where a dimension does not start at 1
 * element    array | NULL | text | quoted text
 *
 * Any number of dimensions becomes nested JSON arrays. Where the dimensions start is left out: JSON
 * has no word for it.
 */

const quote = 0x22
const open = 0x7b
const close = 0x7d

export function arrayEncoding(element: Encoding, delimiter: string): Encoding {
  const comma = delimiter.charCodeAt(0)
  return { kind: 'array', element: element.kind, encode: arrayEncoder(element.encode, comma) }
}

function arrayEncoder(encodeElement: ValueEncoder, delimiter: number): ValueEncoder {
  return (out, input, start, end) => {
    let at = input[start] === open ? start : input.indexOf(open, start)
    while (at < end) {
      const byte = input[at]!
      if (byte === open) out.byte(0x5b)
      else if (byte === close) out.byte(0x5d)
      else if (byte === delimiter) out.byte(0x2c)
      else if (byte === quote) {
        const text = readQuoted(input, at, end)
        encodeElement(out, text.input, text.start, text.end)
        at = text.next
        continue
      } else {
        const from = at
        while (at < end && input[at] !== delimiter && input[at] !== close) at++
        if (isNull(input, from, at)) out.ascii('null')
        else encodeElement(out, input, from, at)
        continue
      }
      at++
    }
  }
}

/** Text that reads NULL has quotes; so the word without them is the missing element. */
function isNull(input: Buffer, start: number, end: number): boolean {
  return (
    end - start === 4 &&
    input[start] === 0x4e &&
    input[start + 1] === 0x55 &&
    input[start + 2] === 0x4c &&
    input[start + 3] === 0x4c
  )
}

/** int2vector and oidvector: digits between spaces. */
export const encodeNumberVector: ValueEncoder = (out, input, start, end) => {
  out.byte(0x5b)
  for (let i = start; i < end; i++) out.byte(input[i] === 0x20 ? 0x2c : input[i]!)
  out.byte(0x5d)
}
