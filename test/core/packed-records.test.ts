import fc from 'fast-check'
import { test } from 'tap'
import { ByteWriter } from '../../src/core/byte-writer.ts'
import {
  asRecords,
  closePiece,
  endsCommit,
  freeRecords,
  hasKey,
  hasValue,
  lastTimestamp,
  openPiece,
  type PackedRecords,
  packedOf,
  writeVarint,
} from '../../src/core/packed-records.ts'

interface Row {
  readonly key: Uint8Array | null
  readonly value: Uint8Array | null
}

const bytes = fc.oneof(
  fc.uint8Array({ maxLength: 40 }),
  // Lengths around those that need a wider number.
  fc.integer({ min: 2 ** 14 - 2, max: 2 ** 14 + 2 }).map((length) => new Uint8Array(length)),
  fc.constant(new Uint8Array(2 ** 21 + 1)),
)
const rows = fc.array(fc.record({ key: fc.option(bytes), value: fc.option(bytes) }), {
  minLength: 1,
  maxLength: 20,
})

function isSame(a: Uint8Array | null, b: Uint8Array | null): boolean {
  return a === null || b === null ? a === b : Buffer.compare(a, b) === 0
}

function pack(rows: readonly Row[], free?: () => void): PackedRecords {
  const out = new ByteWriter(64)
  const ends: number[] = []
  out.begin()
  for (const [i, { key, value }] of rows.entries()) {
    const isLast = i === rows.length - 1
    out.byte((isLast ? endsCommit : 0) | (key ? hasKey : 0) | (value ? hasValue : 0))
    out.reserve(8)
    writeVarint(out, i)
    for (const piece of [key, value]) {
      if (piece === null) continue
      const place = openPiece(out)
      out.copy(piece)
      closePiece(out, place)
    }
    ends.push(out.length)
  }
  const shared = { topic: 't', schema: undefined, timestamp: 7, version: 9n }
  return { ...shared, bytes: out.take(), ends, ...(free && { free }) }
}

test('packed records read as what they were made of', (t) => {
  fc.assert(
    fc.property(rows, (rows) => {
      const records = asRecords(pack(rows))
      t.equal(records.length, rows.length)
      t.ok(Array.isArray(records))
      for (const [i, record] of records.entries()) {
        const { key, value } = rows[i]!
        t.ok(isSame(record.key, key) && isSame(record.value, value))
        t.equal(record.ordinal, i)
        t.equal(record.endsCommit, i === rows.length - 1)
      }
      t.equal(records.at(-1), records[rows.length - 1], 'the same objects each time')
      t.equal(records.filter(({ topic }) => topic === 't').length, rows.length)
    }),
    { numRuns: 20 },
  )
  t.end()
})

test('their bytes are given back once, and only if nobody has looked into them', (t) => {
  const row = { key: Buffer.from('k'), value: null }
  let freed = 0
  const unseen = asRecords(pack([row], () => freed++))
  t.equal(lastTimestamp(unseen), 7)
  t.equal(unseen.length, 1)
  t.not(packedOf(unseen), undefined)
  freeRecords(unseen)
  freeRecords(unseen)
  t.equal(freed, 1)
  t.equal(packedOf(unseen), undefined)
  t.equal(lastTimestamp(unseen), 7)
  t.throws(() => unseen[0], /given back/)
  const seen = asRecords(pack([row], () => freed++))
  t.strictSame(seen[0]?.key, Buffer.from('k'))
  freeRecords(seen)
  t.equal(freed, 1)
  t.equal(packedOf([...seen]), undefined, 'a copy is an array like any other')
  t.end()
})
