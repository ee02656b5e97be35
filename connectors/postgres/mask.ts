import { createHash } from 'node:crypto'
import { matchesAny, type Selects } from './selection.ts'
import type { ValueEncoder } from './values/encoder.ts'

/** How a column's value is made unrecognisable before it reaches a topic. */
export interface Mask {
  readonly selects: Selects
  readonly apply: (encode: ValueEncoder, length: number | undefined) => MaskedEncoder
}

export interface MaskedEncoder {
  readonly encode: ValueEncoder
  /** What stands for NULL, where even that must not be seen. */
  readonly ofNull?: Buffer
}

export interface HashOption {
  readonly columns: string
  readonly algorithm: string
  readonly salt: string
  readonly version: 1 | 2
}

/** Every value, and NULL too, becomes so many asterisks. */
export function maskWith(count: number, columns: string): Mask {
  const text = Buffer.from(`"${'*'.repeat(count)}"`)
  return {
    selects: matchesAny(columns),
    apply: () => ({ encode: (out) => out.copy(text), ofNull: text }),
  }
}

/** Texts are cut to so many characters. */
export function truncateTo(count: number, columns: string): Mask {
  return {
    selects: matchesAny(columns),
    apply: () => ({
      encode: (out, input, start, end) =>
        out.utf8(JSON.stringify([...input.toString('utf8', start, end)].slice(0, count).join(''))),
    }),
  }
}

/**
 * A salted hash in hexadecimal digits, cut to the column's length. Version 1 hashes the value as
 * Java serialises it, as Debezium does under `column.mask.hash`; version 2 its UTF-8 bytes.
 */
export function hashWith({ columns, algorithm, salt, version }: HashOption): Mask {
  const name = algorithm.replace(/^(SHA)-(\d)/i, '$1$2').toLowerCase()
  return {
    selects: matchesAny(columns),
    apply: (_, length) => ({
      encode: (out, input, start, end) => {
        const hash = createHash(name).update(salt)
        if (version === 1) hash.update(javaString(input.subarray(start, end)))
        else hash.update(input.subarray(start, end))
        out.utf8(`"${hash.digest('hex').slice(0, length)}"`)
      },
    }),
  }
}

/** A short string as java.io.ObjectOutputStream writes it. */
function javaString(utf8: Buffer): Buffer {
  const header = Buffer.from([0xac, 0xed, 0x00, 0x05, 0x74, utf8.length >> 8, utf8.length & 0xff])
  return Buffer.concat([header, utf8])
}
