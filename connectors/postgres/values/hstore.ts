import { ByteWriter } from '../../../src/core/byte-writer.ts'
import type { ValueEncoder } from './encoder.ts'
import { encodeText } from './text.ts'
import { readQuoted } from './unquote.ts'

/*
 * hstore  '"key"=>"value", "key"=>NULL': keys and values always in quotes
 */

/** An object of strings and nulls, in the server's order of keys. */
export const encodeHstore: ValueEncoder = (out, input, start, end) => {
  out.byte(0x7b)
  let at = start
  while (at < end) {
    if (at > start) out.byte(0x2c)
    const key = readQuoted(input, at, end)
    encodeText(out, key.input, key.start, key.end)
    out.byte(0x3a)
    at = key.next + '=>'.length
    if (input[at] === 0x22) {
      const value = readQuoted(input, at, end)
      encodeText(out, value.input, value.start, value.end)
      at = value.next
    } else {
      out.ascii('null')
      at += 'NULL'.length
    }
    at += ', '.length
  }
  out.byte(0x7d)
}

/** Debezium's `json`: the object as text in a string. */
export const encodeHstoreText: ValueEncoder = (out, input, start, end) => {
  const object = new ByteWriter(1024)
  encodeHstore(object, input, start, end)
  encodeText(out, object.bytes, 0, object.at)
}
