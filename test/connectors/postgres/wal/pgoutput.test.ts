import fc from 'fast-check'
import { test } from 'tap'
import {
  readBegin,
  readCommitEnd,
  readRelation,
  readTruncate,
} from '../../../../connectors/postgres/wal/pgoutput.ts'

const u32 = fc.integer({ min: 0, max: 2 ** 32 - 1 })
const i32 = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 })
const lsns = fc.maxSafeNat()
/** Between 1970 and 2000 microseconds are counted backwards, from then on to 2255 forwards. */
const times = fc.integer({ min: -946_684_800_000_000, max: 2 ** 53 - 946_684_800_000_001 })
const name = fc.string({ unit: 'grapheme' }).map((text) => text.replaceAll('\0', ''))

/** Messages stand somewhere in a larger buffer: what lies before them must not matter. */
const junk = fc.uint8Array({ maxLength: 9 }).map((bytes) => Buffer.from(bytes))

const numbers = {
  u8: (value: number) => Buffer.from([value]),
  u16(value: number) {
    const bytes = Buffer.alloc(2)
    bytes.writeUInt16BE(value)
    return bytes
  },
  u32(value: number) {
    const bytes = Buffer.alloc(4)
    bytes.writeUInt32BE(value >>> 0)
    return bytes
  },
  u64(value: number) {
    const bytes = Buffer.alloc(8)
    bytes.writeBigInt64BE(BigInt(value))
    return bytes
  },
}
const text = (value: string) => Buffer.from(`${value}\0`)

test('Begin tells the LSN, the time since 1970 and the transaction', (t) => {
  fc.assert(
    fc.property(junk, lsns, times, u32, (junk, lsn, time, xid) => {
      const bytes = Buffer.concat([junk, numbers.u64(lsn), numbers.u64(time), numbers.u32(xid)])
      const micros = time + 946_684_800_000_000
      t.strictSame(readBegin(bytes, junk.length), { lsn, micros, xid })
    }),
    { numRuns: 50 },
  )
  t.end()
})

test('Commit tells where it ends', (t) => {
  fc.assert(
    fc.property(lsns, lsns, (lsn, end) => {
      const bytes = Buffer.concat([
        ...[numbers.u8(0), numbers.u64(lsn), numbers.u64(end), numbers.u64(0)],
      ])
      return readCommitEnd(bytes, 0) === end
    }),
  )
  t.end()
})

const column = fc.record(
  { name, identity: fc.boolean(), typeOid: u32, typmod: i32 },
  { noNullPrototype: true },
)

test('Relation tells the table and its columns, whatever their names', (t) => {
  fc.assert(
    fc.property(junk, u32, fc.tuple(name, name), fc.array(column), (junk, oid, names, columns) => {
      const [namespace, table] = names
      const bytes = Buffer.concat([
        ...[junk, numbers.u32(oid), text(namespace), text(table), Buffer.from('d')],
        numbers.u16(columns.length),
        ...columns.flatMap(({ name, identity, typeOid, typmod }) => [
          ...[numbers.u8(identity ? 1 : 0), text(name), numbers.u32(typeOid), numbers.u32(typmod)],
        ]),
      ])
      t.strictSame(readRelation(bytes, junk.length), {
        ...{ oid, namespace: namespace || 'pg_catalog', name: table, identity: 'd', columns },
      })
    }),
    { numRuns: 50 },
  )
  t.end()
})

test('Truncate tells every table', (t) => {
  fc.assert(
    fc.property(fc.array(u32), (oids) => {
      const count = numbers.u32(oids.length)
      const bytes = Buffer.concat([count, numbers.u8(1), ...oids.map(numbers.u32)])
      t.strictSame(readTruncate(bytes, 0), oids)
    }),
    { numRuns: 50 },
  )
  t.end()
})
