import { ByteWriter } from '../../../src/core/byte-writer.ts'
import {
  closePiece,
  endsCommit,
  hasKey,
  hasValue,
  openPiece,
  type PackedRecords,
  writeVarint,
} from '../../../src/core/packed-records.ts'
import type { RowImage } from '../wal/envelope-writer.ts'
import type { Relation } from '../wal/relation.ts'
import { writeKey, writeRow } from '../wal/row.ts'
import { readDataRow } from '../wal/tuple.ts'
import type { RowWriter } from './rows.ts'

/** Rows that become a commit, once they are given a version. */
export type PackedRows = Pick<PackedRecords, 'bytes' | 'ends' | 'free'>

/** The last row of a pack is mostly smaller. */
const rowRoom = 64 * 1024

const opening = Buffer.from('{"before":null,"after":')

/**
 * Room for packed rows, used again. Taken anew for every commit it cost 0.6 µs a row: the garbage
 * collector runs by the bytes that buffers hold.
 */
export class PackingRoom {
  readonly limit: number
  readonly #free: ByteWriter[] = []

  /** Rows are packed together up to so many bytes. */
  constructor(limit: number) {
    this.limit = limit
  }

  take(): ByteWriter {
    return this.#free.pop() ?? new ByteWriter(this.limit + rowRoom)
  }

  /** What had to grow for a large row is not kept. */
  free(out: ByteWriter): void {
    if (out.bytes.length > this.limit + rowRoom) return
    out.rewind()
    this.#free.push(out)
  }
}

/** Gathers rows of one table, without an object for any of them. */
export class RowPacker {
  readonly #writer: RowWriter
  readonly #relation: Relation
  readonly #image: RowImage
  readonly #lsn: number
  readonly #room: PackingRoom
  #out: ByteWriter | undefined
  #ends: number[] = []
  /** The envelope behind the row: rows that are packed together have it in common. */
  #rest: Buffer = Buffer.alloc(0)

  constructor(writer: RowWriter, relation: Relation, lsn: number, room: PackingRoom) {
    this.#writer = writer
    this.#relation = relation
    this.#image = { row: relation.row }
    this.#lsn = lsn
    this.#room = room
  }

  get isFull(): boolean {
    return this.#out !== undefined && this.#out.length >= this.#room.limit
  }

  /** Takes the DataRow at `start`. */
  add(bytes: Buffer, start: number): void {
    const relation = this.#relation
    readDataRow(bytes, start, relation.row)
    const out = this.#out ?? this.#begin()
    out.reserve(9)
    out.bytes[out.at++] = relation.key.length === 0 ? hasValue : hasKey | hasValue
    writeVarint(out, this.#ends.length)
    if (relation.key.length > 0) {
      const key = openPiece(out)
      writeKey(out, bytes, relation, relation.row)
      closePiece(out, key)
    }
    const value = openPiece(out)
    out.copy(opening)
    writeRow(out, bytes, relation, this.#image)
    out.copy(this.#rest)
    closePiece(out, value)
    this.#ends.push(out.length)
  }

  /** What was gathered, as one commit; `undefined` where there is nothing. */
  take(): PackedRows | undefined {
    const out = this.#out
    if (out === undefined) return undefined
    const bytes = out.take()
    const ends = this.#ends
    bytes[ends.at(-2) ?? 0]! |= endsCommit
    this.#out = undefined
    this.#ends = []
    return { bytes, ends, free: () => this.#room.free(out) }
  }

  #begin(): ByteWriter {
    this.#out = this.#room.take()
    this.#out.begin()
    this.#rest = this.#writer.rest(this.#relation, this.#lsn)
    return this.#out
  }
}
