import fc from 'fast-check'
import { test } from 'tap'
import { formatLsn, parseLsn, readLsn } from '../../../../connectors/postgres/wal/lsn.ts'

const lsns = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n })

test('an LSN reads back from its text', (t) => {
  fc.assert(fc.property(lsns, (lsn) => parseLsn(formatLsn(lsn)) === lsn))
  t.end()
})

test('an LSN looks as the server prints it', (t) => {
  t.equal(formatLsn(0x16b374d848n), '16/B374D848')
  t.equal(formatLsn(0n), '0/0')
  t.equal(parseLsn('0/100'), 256n)
  t.end()
})

test('an LSN of the stream is exact, or refused', (t) => {
  const bytesOf = (lsn: bigint) => {
    const bytes = Buffer.alloc(9)
    bytes.writeBigUInt64BE(lsn, 1)
    return bytes
  }
  const safe = fc.bigInt({ min: 0n, max: 2n ** 53n - 1n })
  fc.assert(fc.property(safe, (lsn) => readLsn(bytesOf(lsn), 1) === Number(lsn)))
  const unsafe = fc.bigInt({ min: 2n ** 53n, max: 2n ** 64n - 1n })
  fc.assert(fc.property(unsafe, (lsn) => throws(() => readLsn(bytesOf(lsn), 1))))
  t.end()
})

function throws(act: () => unknown): boolean {
  try {
    act()
    return false
  } catch {
    return true
  }
}
