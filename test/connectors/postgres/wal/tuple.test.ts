import fc from 'fast-check'
import { test } from 'tap'
import {
  columnsOf,
  isNull,
  isUnchanged,
  readDataRow,
  readTuple,
  Slots,
} from '../../../../connectors/postgres/wal/tuple.ts'

const values = fc.array(fc.option(fc.string({ unit: 'grapheme', maxLength: 20 })), {
  maxLength: 12,
})
const junk = fc.uint8Array({ maxLength: 9 }).map((bytes) => Buffer.from(bytes))

const u16 = (value: number) => Buffer.from([value >> 8, value & 255])
const i32 = (value: number) => {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32BE(value)
  return bytes
}

/** The texts that the slots point at; `undefined`: unchanged. */
function texts(bytes: Buffer, { count, starts, ends }: Slots) {
  return Array.from({ length: count }, (_, i) => {
    const start = starts[i]!
    if (start === isUnchanged) return undefined
    return start === isNull ? null : bytes.toString('utf8', start, ends[i])
  })
}

test('a tuple of the stream is read in place, and ends where the next begins', (t) => {
  const columns = fc.array(
    fc.oneof(...[fc.constant(null), fc.constant(undefined), fc.string({ unit: 'grapheme' })]),
    { maxLength: 12 },
  )
  fc.assert(
    fc.property(junk, columns, junk, (before, columns, after) => {
      const parts = columns.flatMap((value) => {
        if (value === null) return [Buffer.from('n')]
        if (value === undefined) return [Buffer.from('u')]
        const text = Buffer.from(value)
        return [Buffer.from('t'), i32(text.length), text]
      })
      const tuple = Buffer.concat([u16(columns.length), ...parts])
      const bytes = Buffer.concat([before, tuple, after])
      const slots = new Slots(columnsOf(bytes, before.length))
      t.equal(readTuple(bytes, before.length, slots), before.length + tuple.length)
      t.strictSame(texts(bytes, slots), columns)
    }),
    { numRuns: 100 },
  )
  t.end()
})

test('a row of a SELECT fills the same slots', (t) => {
  fc.assert(
    fc.property(junk, values, (before, columns) => {
      const parts = columns.flatMap((value) =>
        value === null ? [i32(-1)] : [i32(Buffer.byteLength(value)), Buffer.from(value)],
      )
      const bytes = Buffer.concat([before, u16(columns.length), ...parts])
      const slots = new Slots(columns.length)
      readDataRow(bytes, before.length, slots)
      t.strictSame(texts(bytes, slots), columns)
    }),
    { numRuns: 100 },
  )
  t.end()
})
