import { closeSync, mkdirSync, openSync, readSync, rmSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import type { ChunkRow } from './chunk-window.ts'

/** So much is kept in memory; more goes to the file, and comes back, in pieces of this size. */
const pieceBytes = 1024 * 1024

const headerBytes = 4

/**
 * Rows of a table without key that wait for their place in the stream. Such a table is read in one
 * go, so memory would have to hold all of it.
 *
 *   frame: length:u32 value
 */
export class RowSpill implements Iterable<ChunkRow> {
  readonly #directory: string | undefined
  #frames: Buffer[] = []
  #bytes = 0
  #file: number | undefined
  #fileBytes = 0
  #count = 0

  /** Without a directory memory does hold all. */
  constructor(directory: string | undefined) {
    this.#directory = directory
  }

  get length(): number {
    return this.#count
  }

  add({ value }: ChunkRow): void {
    const frame = Buffer.allocUnsafe(headerBytes + value.length)
    frame.writeUInt32BE(value.length)
    value.copy(frame, headerBytes)
    this.#frames.push(frame)
    this.#bytes += frame.length
    this.#count++
    if (this.#bytes >= pieceBytes && this.#directory !== undefined) this.#flush(this.#directory)
  }

  *[Symbol.iterator](): Generator<ChunkRow> {
    let rest: Buffer = Buffer.alloc(0)
    for (let at = 0; at < this.#fileBytes; ) {
      const bytes = Buffer.allocUnsafe(Math.min(pieceBytes, this.#fileBytes - at))
      const length = readSync(this.#file!, bytes, 0, bytes.length, at)
      if (length === 0) throw new Error('a file of rows is shorter than what was written to it')
      at += length
      rest = yield* rowsIn(Buffer.concat([rest, bytes.subarray(0, length)]))
    }
    for (const frame of this.#frames) yield { key: null, value: frame.subarray(headerBytes) }
  }

  close(): void {
    if (this.#file !== undefined) closeSync(this.#file)
    this.#file = undefined
    this.#frames = []
    this.#fileBytes = this.#bytes = 0
  }

  #flush(directory: string): void {
    this.#file ??= openNameless(directory)
    const bytes = Buffer.concat(this.#frames)
    for (let at = 0; at < bytes.length; ) at += writeSync(this.#file, bytes, at)
    this.#fileBytes += bytes.length
    this.#frames = []
    this.#bytes = 0
  }
}

/** The whole rows of a piece. Returns what is left of it. */
function* rowsIn(bytes: Buffer): Generator<ChunkRow, Buffer> {
  let at = 0
  while (at + headerBytes <= bytes.length) {
    const end = at + headerBytes + bytes.readUInt32BE(at)
    if (end > bytes.length) break
    yield { key: null, value: bytes.subarray(at + headerBytes, end) }
    at = end
  }
  return bytes.subarray(at)
}

let opened = 0

/** A file that goes with its descriptor, however the process ends. */
function openNameless(directory: string): number {
  mkdirSync(directory, { recursive: true })
  const path = join(directory, `rows-${process.pid}-${++opened}`)
  const file = openSync(path, 'wx+', 0o600)
  rmSync(path)
  return file
}
