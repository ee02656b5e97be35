import type { ByteWriter } from '../../../src/core/byte-writer.ts'
import type { Relation } from './relation.ts'
import { isAbsent, isNull, isUnchanged, type Slots } from './tuple.ts'

/*
 * A row from slots to JSON bytes: no object per row or column, one pass.
 */

const braceOpen = 0x7b
const braceClose = 0x7d
const comma = 0x2c

/** Names the columns that a row lacks, or `undefined`. */
export function unchangedColumns(
  relation: Relation,
  row: Slots,
  old?: Slots,
): string[] | undefined {
  let names: string[] | undefined
  for (const { slot, name } of relation.columns) {
    if (row.starts[slot] !== isUnchanged) continue
    if (old !== undefined && old.starts[slot]! >= isNull) continue
    names = [...(names ?? []), name]
  }
  return names
}

/**
 * Writes `{"column":value,…}`. An unchanged value is taken from the old tuple where that has it,
 * else its placeholder stands there, or its column is left out; so are columns that the server did
 * not send.
 */
export function writeRow(
  out: ByteWriter,
  bytes: Buffer,
  relation: Relation,
  { row, old }: { readonly row: Slots; readonly old?: Slots | undefined },
): void {
  const { columns } = relation
  out.byte(braceOpen)
  let first = true
  for (let i = 0; i < columns.length; i++) {
    const { slot, label, nextLabel, encode, ofNull, placeholder } = columns[i]!
    let slots = row
    let start = row.starts[slot]!
    if (start === isUnchanged && old !== undefined && old.starts[slot]! >= isNull) {
      slots = old
      start = old.starts[slot]!
    }
    if (start < isNull && (start !== isUnchanged || placeholder === null)) continue
    out.copy(first ? label : nextLabel)
    first = false
    if (start >= 0) encode(out, bytes, start, slots.ends[slot]!)
    else out.copy(start === isNull ? ofNull : placeholder!)
  }
  out.byte(braceClose)
}

/** Writes the key of a row, `{"id":1}`. */
export function writeKey(out: ByteWriter, bytes: Buffer, relation: Relation, row: Slots): void {
  const { key } = relation
  out.byte(braceOpen)
  for (let i = 0; i < key.length; i++) {
    const { slot, label, encode, ofNull } = key[i]!
    if (i > 0) out.byte(comma)
    out.copy(label)
    const start = row.starts[slot]!
    if (start < 0) out.copy(ofNull)
    else encode(out, bytes, start, row.ends[slot]!)
  }
  out.byte(braceClose)
}

/** Marks what an old tuple of tag K does not carry, although it looks like null. */
export function keepIdentityOnly({ columns }: Relation, old: Slots): void {
  for (const { slot, identity } of columns) if (!identity) old.starts[slot] = isAbsent
}

/** Whether two tuples have the same key, compared as the server wrote it. */
export function sameKey(bytes: Buffer, { key }: Relation, a: Slots, b: Slots): boolean {
  for (const { slot } of key) {
    const start = b.starts[slot]!
    // A key value that was stored out of line and not touched is the old one.
    if (start === isUnchanged) continue
    if (a.starts[slot]! < 0 || start < 0) {
      if (a.starts[slot] !== start) return false
    } else if (bytes.compare(bytes, a.starts[slot], a.ends[slot], start, b.ends[slot]) !== 0) {
      return false
    }
  }
  return true
}

/**
 * Whether an update left all columns of the row as they were, compared as the server wrote them.
 */
export function sameRow(bytes: Buffer, { columns }: Relation, old: Slots, row: Slots): boolean {
  return columns.every(({ slot }) => {
    const start = row.starts[slot]!
    if (start === isUnchanged) return true
    if (start < 0 || old.starts[slot]! < 0) return start === old.starts[slot]
    return bytes.compare(bytes, old.starts[slot], old.ends[slot], start, row.ends[slot]!) === 0
  })
}

export function writeNull(out: ByteWriter): void {
  out.reserve(4)
  const { bytes } = out
  bytes[out.at++] = 0x6e
  bytes[out.at++] = 0x75
  bytes[out.at++] = 0x6c
  bytes[out.at++] = 0x6c
}
