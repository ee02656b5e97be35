import type { ByteWriter } from './byte-writer.ts'
import type { NewRecord } from './record.ts'
import type { Schema } from './schema.ts'

/*
 * Records of one topic and one commit as bytes, one behind the other; `varint` is 7 bits a byte,
 * low bits first, up to 2^53, and may end in bytes of zeros.
 *
 *   record: flags:u8 ordinal:varint [keyLength:varint key] [valueLength:varint value]
 *
 * The embedded log stores these bytes as they are. A row that becomes a record object with two
 * buffers costs 0.9 µs more, most of it for the garbage collector.
 */
export interface PackedRecords {
  readonly topic: string
  readonly schema: Schema | undefined
  /** As in `NewRecord`, of all of them. */
  readonly timestamp: number
  readonly version: bigint
  readonly bytes: Buffer
  /** Where each record ends; there is at least one. */
  readonly ends: readonly number[]
  /** Takes the bytes back, once nobody needs them any more. */
  readonly free?: () => void
}

/** Flags of a record. */
export const endsCommit = 1
export const hasKey = 2
export const hasValue = 4

interface Pack {
  readonly packed: PackedRecords
  /** Somebody has looked into the records, and may keep views of the bytes. */
  isSeen: boolean
  isFree: boolean
}

const packs = new WeakMap<readonly unknown[], Pack>()

/** The records as an array, which is filled once somebody looks into it. */
export function asRecords(packed: PackedRecords): readonly NewRecord[] {
  const array: NewRecord[] = []
  const pack: Pack = { packed, isSeen: false, isFree: false }
  const filled = () => {
    if (pack.isFree) throw new Error('records were looked at after they had been given back')
    if (!pack.isSeen) array.push(...unpack(packed))
    pack.isSeen = true
    return array
  }
  const records = new Proxy(array, {
    get: (_, name) => (name === 'length' ? packed.ends.length : Reflect.get(filled(), name)),
    has: (_, name) => Reflect.has(filled(), name),
    ownKeys: () => Reflect.ownKeys(filled()),
    getOwnPropertyDescriptor: (_, name) => Reflect.getOwnPropertyDescriptor(filled(), name),
  })
  packs.set(records, pack)
  return records
}

/** What such an array is made of; `undefined` for any other. */
export function packedOf(records: readonly unknown[]): PackedRecords | undefined {
  const pack = packs.get(records)
  return pack?.isFree ? undefined : pack?.packed
}

/** Who has written such an array down somewhere else, and needs it no more, says so. */
export function freeRecords(records: readonly unknown[]): void {
  const pack = packs.get(records)
  if (pack === undefined || pack.isSeen || pack.isFree) return
  pack.isFree = true
  pack.packed.free?.()
}

/** The time of the last record, without looking into packed ones. */
export function lastTimestamp(
  records: readonly { readonly timestamp: number }[],
): number | undefined {
  return (packs.get(records)?.packed ?? records.at(-1))?.timestamp
}

function* unpack({ bytes, ends, ...shared }: PackedRecords): Generator<NewRecord> {
  const reader = new PackedReader(bytes, 0)
  for (let i = 0; i < ends.length; i++) {
    const flags = reader.byte()
    yield {
      topic: shared.topic,
      ordinal: reader.varint(),
      key: flags & hasKey ? reader.piece() : null,
      value: flags & hasValue ? reader.piece() : null,
      timestamp: shared.timestamp,
      version: shared.version,
      endsCommit: (flags & endsCommit) !== 0,
      headers: undefined,
      schema: shared.schema,
      cause: undefined,
    }
  }
}

/** Walks through packed bytes. */
export class PackedReader {
  readonly #bytes: Buffer
  #at: number

  constructor(bytes: Buffer, at: number) {
    this.#bytes = bytes
    this.#at = at
  }

  byte(): number {
    return this.#bytes[this.#at++]!
  }

  varint(): number {
    let value = 0
    let scale = 1
    for (;;) {
      const byte = this.#bytes[this.#at++]!
      value += (byte & 0x7f) * scale
      if (byte < 0x80) return value
      scale *= 128
    }
  }

  piece(): Buffer {
    const length = this.varint()
    return this.#bytes.subarray(this.#at, (this.#at += length))
  }
}

/** The caller has reserved 8 bytes. */
export function writeVarint(out: ByteWriter, value: number): void {
  let rest = value
  while (rest >= 0x80) {
    out.bytes[out.at++] = (rest & 0x7f) | 0x80
    rest = rest < 0x80000000 ? rest >>> 7 : Math.floor(rest / 128)
  }
  out.bytes[out.at++] = rest
}

/** Leaves room for the length of a key or value that is written next. Returns its place. */
export function openPiece(out: ByteWriter): number {
  out.reserve(2)
  out.at += 2
  return out.length
}

/** Puts down the length of what was written since; a long one needs more room than was left. */
export function closePiece(out: ByteWriter, place: number): void {
  const length = out.length - place
  const wide = length >= 1 << 14
  if (wide) {
    out.reserve(3)
    const start = out.at - length
    out.bytes.copyWithin(start + 3, start, out.at)
    out.at += 3
  }
  const { bytes } = out
  let at = out.at - length - (wide ? 5 : 2)
  bytes[at++] = (length & 0x7f) | 0x80
  if (!wide) bytes[at] = length >>> 7
  else {
    bytes[at++] = ((length >>> 7) & 0x7f) | 0x80
    bytes[at++] = ((length >>> 14) & 0x7f) | 0x80
    bytes[at++] = ((length >>> 21) & 0x7f) | 0x80
    bytes[at] = length >>> 28
  }
}
