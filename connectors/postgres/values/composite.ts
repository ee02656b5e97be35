import type { ByteWriter } from '../../../src/core/byte-writer.ts'
import type { ValueEncoder } from './encoder.ts'
import { readQuoted } from './unquote.ts'

/*
 * composite  '(' field (',' field)* ')'
 * field      nothing (NULL) | text | quoted text ("" is the empty string)
 */

const quote = 0x22
const comma = 0x2c
const close = 0x29

export interface FieldEncoder {
  readonly name: string
  readonly encode: ValueEncoder
}

/** An object by field name. A field that the catalog does not know (yet) is named by its place. */
export function compositeEncoder(
  fields: readonly FieldEncoder[],
  encodeUnknown: ValueEncoder,
): ValueEncoder {
  const names = fields.map(({ name }) => Buffer.from(`${JSON.stringify(name)}:`))
  return (out, input, start, end) => {
    out.byte(0x7b)
    let at = start + 1
    for (let i = 0; at < end; i++) {
      // `()` has no fields; a type with one null field looks the same.
      if (i === 0 && fields.length === 0) break
      if (i > 0) out.byte(comma)
      out.copy(names[i] ?? Buffer.from(`"f${i + 1}":`))
      at = writeField(out, { input, at, end, encode: fields[i]?.encode ?? encodeUnknown }) + 1
    }
    out.byte(0x7d)
  }
}

interface Field {
  readonly input: Buffer
  readonly at: number
  readonly end: number
  readonly encode: ValueEncoder
}

/** Returns where the field ends. */
function writeField(out: ByteWriter, { input, at, end, encode }: Field): number {
  if (input[at] === quote) {
    const text = readQuoted(input, at, end)
    encode(out, text.input, text.start, text.end)
    return text.next
  }
  let i = at
  while (i < end && input[i] !== comma && input[i] !== close) i++
  if (i === at) out.ascii('null')
  else encode(out, input, at, i)
  return i
}
