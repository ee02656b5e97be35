import { compressionsAlgorithmsByBitmask, crc32c } from '@platformatic/kafka'
import { MillraceError } from '../../core/errors.ts'
import {
  batchHeadBytes,
  checkedFrom,
  compressionBits,
  controlBit,
  transactionalBit,
} from './record-batch.ts'

/** One batch in an answer to a fetch. */
export interface RecordBatch {
  readonly firstOffset: number
  /** Of the last record, also if compaction has removed it. */
  readonly lastOffset: number
  readonly producerId: bigint
  readonly isTransactional: boolean
  /** Holds a marker of a transaction's end, and no record. */
  readonly isControl: boolean
  readonly firstTimestamp: number
  readonly maxTimestamp: number
  readonly isAppendTime: boolean
  readonly count: number
  /** Records, decompressed. */
  readonly body: Buffer
}

/** A record as it lies in a batch. Key, value and headers are views into the answer. */
export interface RawRecord {
  readonly offset: number
  readonly timestamp: number
  readonly key: Buffer | null
  readonly value: Buffer | null
  readonly headers: readonly (readonly [name: string, value: Buffer | null])[]
}

/** The batches in a fetch's answer; the last may be cut off, and is then left out. */
export function* readBatches(bytes: Buffer): Generator<RecordBatch> {
  for (let at = 0; at + batchHeadBytes <= bytes.length; ) {
    const end = at + 12 + bytes.readInt32BE(at + 8)
    if (end > bytes.length) return
    yield readBatch(bytes.subarray(at, end))
    at = end
  }
}

function readBatch(batch: Buffer): RecordBatch {
  if (batch[16] !== 2) {
    throw new MillraceError('LOG_FORMAT', `A record batch has the old format ${batch[16]}.`)
  }
  if (batch.readUInt32BE(17) !== crc32c(batch.subarray(checkedFrom))) {
    throw new MillraceError('CONNECTION_LOST', 'A record batch arrived damaged: wrong checksum.')
  }
  const firstOffset = Number(batch.readBigInt64BE(0))
  const attributes = batch.readInt16BE(21)
  return {
    firstOffset,
    lastOffset: firstOffset + batch.readInt32BE(23),
    producerId: batch.readBigInt64BE(43),
    isTransactional: (attributes & transactionalBit) !== 0,
    isControl: (attributes & controlBit) !== 0,
    firstTimestamp: Number(batch.readBigInt64BE(27)),
    maxTimestamp: Number(batch.readBigInt64BE(35)),
    isAppendTime: (attributes & 8) !== 0,
    count: batch.readInt32BE(57),
    body: decompress(attributes & compressionBits, batch.subarray(batchHeadBytes)),
  }
}

function decompress(code: number, body: Buffer): Buffer {
  if (code === 0) return body
  const algorithm = compressionsAlgorithmsByBitmask[code]
  if (algorithm === undefined) {
    throw new MillraceError(
      'LOG_FORMAT',
      `A record batch is compressed in an unknown way: ${code}.`,
    )
  }
  return algorithm.decompressSync(body)
}

/** Whether a control batch says that the transaction was committed. */
export function isCommitMarker({ body }: RecordBatch): boolean {
  const at = new Cursor(body)
  at.varint()
  at.skip(1)
  at.varint()
  at.varint()
  at.varint() // Length of the key, which is version:i16 type:i16.
  return body.readInt16BE(at.at + 2) === 1
}

/** The records of a batch from an offset on. */
export function* readRecords(batch: RecordBatch, from: number): Generator<RawRecord> {
  const at = new Cursor(batch.body)
  for (let i = 0; i < batch.count; i++) {
    const end = at.varint() + at.at
    at.skip(1)
    const timestamp = batch.firstTimestamp + at.varint()
    const offset = batch.firstOffset + at.varint()
    if (offset < from) {
      at.at = end
      continue
    }
    const key = at.piece()
    const value = at.piece()
    const headers = at.headers()
    yield {
      offset,
      timestamp: batch.isAppendTime ? batch.maxTimestamp : timestamp,
      ...{ key, value, headers },
    }
  }
}

/** Walks through records. */
class Cursor {
  readonly #bytes: Buffer
  at = 0

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  skip(bytes: number): void {
    this.at += bytes
  }

  /** Zigzag, up to 2^52. */
  varint(): number {
    let byte = this.#bytes[this.at++]!
    if (byte < 0x80) return byte & 1 ? -((byte + 1) >> 1) : byte >> 1
    let value = byte & 0x7f
    let scale = 128
    do {
      byte = this.#bytes[this.at++]!
      value += (byte & 0x7f) * scale
      scale *= 128
    } while (byte >= 0x80)
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2
  }

  piece(): Buffer | null {
    const length = this.varint()
    if (length < 0) return null
    return this.#bytes.subarray(this.at, (this.at += length))
  }

  headers(): (readonly [string, Buffer | null])[] {
    const count = this.varint()
    const headers = new Array<readonly [string, Buffer | null]>(count)
    for (let i = 0; i < count; i++) {
      const length = this.varint()
      const name = this.#bytes.toString('utf8', this.at, (this.at += length))
      headers[i] = [name, this.piece()]
    }
    return headers
  }
}
