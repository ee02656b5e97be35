import fc from 'fast-check'
import { test } from 'tap'
import { formatLsn, parseLsn } from '../../../../connectors/postgres/wal/lsn.ts'

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
