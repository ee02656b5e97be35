import { type FileHandle, mkdir, open, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { MillraceError } from '../../../src/core/errors.ts'

/** A transaction keeps so much in memory; what is more goes to its file, in pieces of this size. */
const pieceBytes = 256 * 1024

const headerBytes = 16

/**
 * The WAL messages of one transaction that is still in progress, in their order.
 *
 *   frame: length:u32 (of the message) xid:u32 lsn:f64 message
 */
export class Spill {
  readonly #path: string
  #bytes: Buffer = Buffer.allocUnsafe(16 * 1024)
  #length = 0
  #file: FileHandle | undefined
  #fileBytes = 0

  /** The file is made when it is needed, with its folder. */
  constructor(path: string) {
    this.#path = path
  }

  /** In memory and in the file. */
  get size(): number {
    return this.#fileBytes + this.#length
  }

  /** More than should be kept in memory. */
  get isFull(): boolean {
    return this.#length >= pieceBytes
  }

  get hasFile(): boolean {
    return this.#file !== undefined
  }

  /** Room for the next message of so many bytes: where it begins in what is returned. */
  add(length: number, xid: number, lsn: number): { readonly bytes: Buffer; readonly at: number } {
    const start = this.#length
    const at = start + headerBytes
    this.#length = at + length
    if (this.#length > this.#bytes.length) this.#grow()
    this.#bytes.writeUInt32BE(length, start)
    this.#bytes.writeUInt32BE(xid, start + 4)
    this.#bytes.writeDoubleBE(lsn, start + 8)
    return { bytes: this.#bytes, at }
  }

  /** Moves what is in memory to the file. */
  async flush(): Promise<void> {
    await this.#guard(async () => {
      if (this.#file === undefined) {
        await mkdir(dirname(this.#path), { recursive: true })
        this.#file = await open(this.#path, 'w+', 0o600)
      }
      await this.#file.writeFile(this.#bytes.subarray(0, this.#length))
    })
    this.#fileBytes += this.#length
    this.#length = 0
    if (this.#bytes.length > 2 * pieceBytes) this.#bytes = Buffer.allocUnsafe(pieceBytes)
  }

  /** Fills the buffer from a place in the file. */
  async read(into: Buffer, offset: number, position: number): Promise<void> {
    await this.#guard(async () => {
      let at = offset
      while (at < into.length) {
        const from = position + at - offset
        const { bytesRead } = await this.#file!.read(into, at, into.length - at, from)
        if (bytesRead === 0) throw new Error('it is shorter than what was written to it')
        at += bytesRead
      }
    })
  }

  /** All that is in memory, where there is no file. */
  get kept(): Buffer {
    return this.#bytes.subarray(0, this.#length)
  }

  async remove(): Promise<void> {
    this.#length = this.#fileBytes = 0
    await this.#file?.close()
    if (this.#file !== undefined) await rm(this.#path, { force: true })
    this.#file = undefined
  }

  #grow(): void {
    const bytes = Buffer.allocUnsafe(Math.max(this.#length, 2 * this.#bytes.length))
    this.#bytes.copy(bytes)
    this.#bytes = bytes
  }

  async #guard(work: () => Promise<void>): Promise<void> {
    try {
      await work()
    } catch (cause) {
      throw spillFailed(this.#path, cause as Error)
    }
  }
}

export function spillFailed(path: string, cause: Error): MillraceError {
  const message = `A transaction in progress cannot be kept in ${path}: ${cause.message}.`
  return new MillraceError('SPILL_FAILED', message, { cause })
}

/** Reads a spill from its beginning, in pieces. */
export class SpillReader {
  /** Holds the current message, which starts at `start`. */
  bytes: Buffer
  start = 0
  xid = 0
  lsn = 0
  readonly #spill: Spill
  #at = 0
  #position = 0

  /** What is to be read from a file must have been flushed to it. */
  constructor(spill: Spill) {
    this.#spill = spill
    this.bytes = spill.hasFile ? Buffer.alloc(0) : spill.kept
    if (!spill.hasFile) this.#position = spill.size
  }

  /** Moves to the next message of the piece at hand. */
  next(): boolean {
    const { bytes } = this
    const at = this.#at
    if (at + headerBytes > bytes.length) return false
    const end = at + headerBytes + bytes.readUInt32BE(at)
    if (end > bytes.length) return false
    this.xid = bytes.readUInt32BE(at + 4)
    this.lsn = bytes.readDoubleBE(at + 8)
    this.start = at + headerBytes
    this.#at = end
    return true
  }

  /** Reads the next piece. `false`: there is none. */
  async more(): Promise<boolean> {
    const left = this.#spill.size - this.#position
    if (left === 0) return false
    const rest = this.bytes.subarray(this.#at)
    const wanted = rest.length < headerBytes ? 0 : headerBytes + rest.readUInt32BE(0) - rest.length
    const bytes = Buffer.allocUnsafe(rest.length + Math.min(left, Math.max(wanted, pieceBytes)))
    rest.copy(bytes)
    await this.#spill.read(bytes, rest.length, this.#position)
    this.#position += bytes.length - rest.length
    this.bytes = bytes
    this.#at = 0
    return true
  }
}
