/*
 * Rows as the server sends them: in pgoutput's tuples, and in the DataRows of a SELECT.
 *
 *   tuple:   count:u16 column*   column: 'n' | 'u' | 't' length:u32 text
 *   DataRow: count:u16 column*   column: length:i32 (-1: null) text
 *
 * A row is read into slots: two numbers a column, where its text starts and ends. No object is
 * made.
 */

/** A start below zero says why there is no text. */
export const isNull = -1
/** A TOASTed value that the change did not touch, and that was not sent. */
export const isUnchanged = -2
/** A column that the server left out, because it is no part of the replica identity. */
export const isAbsent = -3

export class Slots {
  readonly count: number
  readonly starts: Int32Array
  readonly ends: Int32Array

  constructor(columns: number) {
    this.count = columns
    this.starts = new Int32Array(columns)
    this.ends = new Int32Array(columns)
  }
}

const nullKind = 0x6e
const unchangedKind = 0x75

/** Returns where the tuple ends. */
export function readTuple(bytes: Buffer, start: number, slots: Slots): number {
  const { starts, ends, count } = slots
  let at = start + 2
  for (let i = 0; i < count; i++) {
    const kind = bytes[at++]
    if (kind === nullKind) starts[i] = isNull
    else if (kind === unchangedKind) starts[i] = isUnchanged
    else {
      const length = bytes.readUInt32BE(at)
      starts[i] = at + 4
      ends[i] = at += 4 + length
    }
  }
  return at
}

export function readDataRow(bytes: Buffer, start: number, slots: Slots): void {
  const { starts, ends, count } = slots
  let at = start + 2
  for (let i = 0; i < count; i++) {
    const length = bytes.readInt32BE(at)
    at += 4
    starts[i] = length < 0 ? isNull : at
    if (length > 0) at += length
    ends[i] = at
  }
}

/** How many columns the tuple at `start` has. */
export function columnsOf(bytes: Buffer, start: number): number {
  return bytes.readUInt16BE(start)
}
