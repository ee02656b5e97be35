import { MillraceError } from '../core/errors.ts'
import type { LogRecord } from '../core/record.ts'
import { decodeBlock, isIntact, readSafe } from './block.ts'
import { blockKey } from './environment.ts'
import type { Lane } from './lanes.ts'
import type { Readable } from './readable.ts'

/** A block as it is stored. */
export interface StoredBlock {
  readonly key: Buffer
  readonly bytes: Buffer
}

/** The first blocks of a lane. */
export function firstBlocks({ environment }: Readable, { id }: Lane, limit: number): StoredBlock[] {
  const start = blockKey({ lane: id, sequence: 0, offset: 0 })
  const end = blockKey({ lane: id + 1, sequence: 0, offset: 0 })
  return [...environment.blocks.getRange({ start, end, limit })].map(stored)
}

/** The last blocks of a lane whose keys lie below one, in their order. */
export function lastBlocks(
  { environment }: Readable,
  { id }: Lane,
  { below, limit }: { readonly below?: Buffer | undefined; readonly limit: number },
): StoredBlock[] {
  const range = environment.blocks.getRange({
    start: below ?? blockKey({ lane: id + 1, sequence: 0, offset: 0 }),
    exclusiveStart: true,
    end: blockKey({ lane: id, sequence: 0, offset: 0 }),
    reverse: true,
    limit,
  })
  return [...range].map(stored).reverse()
}

/** The first block of a lane whose key is not below a sequence. */
export function blockFrom(
  { environment }: Readable,
  { id }: Lane,
  sequence: number,
): StoredBlock | undefined {
  const start = blockKey({ lane: id, sequence, offset: 0 })
  const end = blockKey({ lane: id + 1, sequence: 0, offset: 0 })
  return [...environment.blocks.getRange({ start, end, limit: 1 })].map(stored)[0]
}

/** The sequence of a block's first record. */
export function firstSequence({ bytes }: StoredBlock): number {
  return readSafe(bytes, 24)
}

export function firstOffset({ bytes }: StoredBlock): number {
  return readSafe(bytes, 16)
}

/** Time of a block's first record, in ms since 1970. */
export function firstTimestamp({ bytes }: StoredBlock): number {
  return bytes.readDoubleBE(40)
}

/** The records of a block. Throws LOG_CORRUPT if its bytes are not those that were written. */
export function recordsOf(
  { lanes }: Readable,
  { topic }: Lane,
  bytes: Buffer,
): readonly LogRecord[] {
  if (!isIntact(bytes)) {
    const place = bytes.length < 48 ? '' : ` around sequence ${readSafe(bytes, 24)}`
    const message = `The log is damaged: a block of topic ${topic}${place} fails its checksum.`
    throw new MillraceError('LOG_CORRUPT', message)
  }
  return decodeBlock(bytes, topic, lanes.schemaOf)
}

function stored({ key, value }: { readonly key: Buffer; readonly value: Buffer }): StoredBlock {
  return { key, bytes: value }
}
