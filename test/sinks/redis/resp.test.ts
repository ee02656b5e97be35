import fc from 'fast-check'
import t from 'tap'
import { encodeWords } from '../../../sinks/redis/resp.ts'
import { ByteWriter } from '../../../src/core/byte-writer.ts'

t.test('words of any bytes are framed by their length', async (t) => {
  const word = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 120 }),
    fc.uint8Array().map((bytes) => Buffer.from(bytes)),
  )
  const writer = new ByteWriter(64)
  fc.assert(
    fc.property(fc.array(word), (words) => {
      const frames = words.flatMap((word) => {
        return [`$${Buffer.byteLength(word)}\r\n`, word, '\r\n'].map((part) => Buffer.from(part))
      })
      const expected = Buffer.concat([Buffer.from(`*${words.length}\r\n`), ...frames])
      return encodeWords(writer, words).equals(expected)
    }),
  )
  t.equal(encodeWords(writer, ['GET', 'é']).toString(), '*2\r\n$3\r\nGET\r\n$2\r\né\r\n')
})
