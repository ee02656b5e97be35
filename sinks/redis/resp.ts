import { Command } from 'ioredis'
import type { ByteWriter } from '../../src/core/byte-writer.ts'

export type Word = string | Buffer

/**
 * A command whose bytes are made here in one pass. ioredis measures and copies every word by
 * itself:
 * for a write script with 100 keys of 300 bytes 2.9 µs a key, against 0.8 µs.
 */
export class EncodedCommand extends Command {
  readonly #bytes: Buffer

  constructor(bytes: Buffer, name: string) {
    super(name, [], { replyEncoding: 'utf8' })
    this.#bytes = bytes
  }

  override toWritable(): Buffer {
    return this.#bytes
  }
}

/**
 * `*<count>\r\n`, then for each word `$<length>\r\n<word>\r\n`. Texts that follow each other are
 * written in one piece, with the frame of the bytes behind them: a call into native code costs more
 * than a short text.
 */
export function encodeWords(writer: ByteWriter, words: readonly Word[]): Buffer {
  writer.begin()
  let head = `*${words.length}\r\n`
  for (let from = 0; from <= words.length; head = '\r\n') {
    let texts = head
    let to = from
    for (let word = words[to]; typeof word === 'string'; word = words[++to]) {
      texts += `$${word.length}\r\n${word}\r\n`
    }
    const bytes = words[to] as Buffer | undefined
    const tail = bytes === undefined ? '' : `$${bytes.length}\r\n`
    if (!writeAscii(writer, texts + tail)) {
      writer.ascii(head)
      for (let i = from; i < to; i++) writeText(writer, words[i] as string)
      writer.ascii(tail)
    }
    if (bytes !== undefined) writer.copy(bytes)
    from = to + 1
  }
  return writer.take()
}

/** Most texts are ASCII, so that their lengths are right. False: nothing was written. */
function writeAscii(writer: ByteWriter, text: string): boolean {
  writer.reserve(text.length * 3) // Now, so that writing does not move the start.
  const start = writer.at
  writer.utf8(text)
  const isAscii = writer.at - start === text.length
  if (!isAscii) writer.at = start
  return isAscii
}

function writeText(writer: ByteWriter, text: string): void {
  const bytes = Buffer.from(text)
  writer.ascii(`$${bytes.length}\r\n`)
  writer.copy(bytes)
  writer.ascii('\r\n')
}
