/*
 * Kafka's record batch, version 2. Numbers are big-endian; `varint` is zigzag, 7 bits a byte.
 *
 *   batch:  baseOffset:i64 length:i32 (of all that follows) leaderEpoch:i32 magic:i8=2
 *           crc:u32 (CRC-32C of all that follows)
 *           attributes:i16 lastOffsetDelta:i32 firstTimestamp:i64 maxTimestamp:i64
 *           producerId:i64 producerEpoch:i16 baseSequence:i32 count:i32 records
 *   record: length:varint attributes:i8=0 timestampDelta:varint offsetDelta:varint
 *           keyLength:varint key valueLength:varint value (-1: null)
 *           headers: count:varint (nameLength:varint name valueLength:varint value)*
 */
import { compressionsAlgorithms, crc32c } from '@platformatic/kafka'
import { ByteWriter } from '../../core/byte-writer.ts'
import type { Compression } from './compression.ts'

/** Bytes before the records. */
export const batchHeadBytes = 61
/** Where the part begins that the checksum covers. */
export const checkedFrom = 21

/** Where the count of records stands. */
export const countAt = 57

export const transactionalBit = 0x10
export const controlBit = 0x20
export const compressionBits = 0x07

/** Who writes, and where its count of records in this partition stands. */
export interface Stamp {
  readonly producerId: bigint
  readonly epoch: number
  readonly sequence: number
  readonly isTransactional: boolean
}

/** Key and value, with headers already encoded: see `HeaderWriter`. */
export interface Entry {
  readonly key: Uint8Array | null
  readonly value: Uint8Array | null
  readonly timestamp: number
}

const noHeaders = Buffer.from([0])

/** Builds one batch after another for one partition. What `take` gave is good until `rewind`. */
export class BatchWriter {
  readonly #out = new ByteWriter(64 * 1024)
  readonly #compression: Compression
  #first = 0
  #max = 0
  count = 0

  constructor(compression: Compression) {
    this.#compression = compression
  }

  /** Bytes so far. */
  get bytes(): number {
    return this.count === 0 ? 0 : this.#out.length
  }

  add({ key, value, timestamp }: Entry, headers: Uint8Array = noHeaders): void {
    const out = this.#out
    if (this.count === 0) this.#begin(timestamp)
    const time = zigzag(timestamp - this.#first)
    const offset = this.count * 2
    const keyBytes = key === null ? 0 : key.length
    const valueBytes = value === null ? 0 : value.length
    const keyLength = key === null ? 1 : keyBytes * 2
    const valueLength = value === null ? 1 : valueBytes * 2
    const length =
      1 +
      (sizeOf(time) + sizeOf(offset) + sizeOf(keyLength) + sizeOf(valueLength)) +
      (keyBytes + valueBytes + headers.length)
    out.reserve(length + 10)
    putVarint(out, length * 2)
    out.bytes[out.at++] = 0
    putVarint(out, time)
    putVarint(out, offset)
    putVarint(out, keyLength)
    if (key !== null) out.copy(key)
    putVarint(out, valueLength)
    if (value !== null) out.copy(value)
    out.copy(headers)
    if (timestamp > this.#max) this.#max = timestamp
    this.count++
  }

  /** Ends the batch. */
  take({ producerId, epoch, sequence, isTransactional }: Stamp): Buffer {
    const batch = this.#compressed(this.#out.take())
    batch.writeInt32BE(batch.length - 12, 8)
    const { bitmask } = compressionsAlgorithms[this.#compression]
    const attributes = bitmask | (isTransactional ? transactionalBit : 0)
    batch.writeInt16BE(attributes, 21)
    batch.writeInt32BE(this.count - 1, 23)
    batch.writeBigInt64BE(BigInt(this.#first), 27)
    batch.writeBigInt64BE(BigInt(this.#max), 35)
    batch.writeBigInt64BE(producerId, 43)
    batch.writeInt16BE(epoch, 51)
    batch.writeInt32BE(sequence, 53)
    batch.writeInt32BE(this.count, countAt)
    batch.writeUInt32BE(crc32c(batch.subarray(checkedFrom)), 17)
    this.count = 0
    return batch
  }

  /** The room may be used again: no batch that was taken is needed any more. */
  rewind(): void {
    this.#out.rewind()
    this.count = 0
  }

  #begin(timestamp: number): void {
    const out = this.#out
    out.begin()
    out.reserve(batchHeadBytes)
    out.bytes.fill(0, out.at, out.at + batchHeadBytes)
    out.bytes.writeInt32BE(-1, out.at + 12)
    out.bytes[out.at + 16] = 2
    out.at += batchHeadBytes
    this.#first = timestamp
    this.#max = timestamp
  }

  #compressed(batch: Buffer): Buffer {
    if (this.#compression === 'none') return batch
    const records = batch.subarray(batchHeadBytes)
    const compressed = compressionsAlgorithms[this.#compression].compressSync(records)
    return Buffer.concat([batch.subarray(0, batchHeadBytes), compressed])
  }
}

/** Zigzag of a number below 2^52. */
function zigzag(value: number): number {
  return value >= 0 ? value * 2 : -value * 2 - 1
}

/** Bytes that a varint takes. */
function sizeOf(value: number): number {
  let size = 1
  for (let rest = value; rest >= 0x80; rest = Math.floor(rest / 128)) size++
  return size
}

/** The caller has reserved the bytes, and given the number in zigzag. */
export function putVarint(out: ByteWriter, value: number): void {
  let rest = value
  while (rest >= 0x80) {
    out.bytes[out.at++] = (rest & 0x7f) | 0x80
    rest = rest < 0x80000000 ? rest >>> 7 : Math.floor(rest / 128)
  }
  out.bytes[out.at++] = rest
}
