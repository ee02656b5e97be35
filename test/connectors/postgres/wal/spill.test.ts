import { existsSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { test } from 'tap'
import { Spill, SpillReader } from '../../../../connectors/postgres/wal/spill.ts'

const message = fc.record({
  xid: fc.nat(0xffff_ffff),
  lsn: fc.nat(Number.MAX_SAFE_INTEGER),
  // Some fill a piece, and some are larger than one.
  length: fc.oneof(fc.nat(200), fc.nat(200), fc.integer({ min: 100_000, max: 600_000 })),
  byte: fc.nat(255),
})

test('what was spilled is read as it was, in memory or from a file', async (t) => {
  const folder = t.testdir()
  let count = 0
  await fc.assert(
    fc.asyncProperty(fc.array(message, { maxLength: 30 }), async (messages) => {
      const path = join(folder, 'made for it', `${count++}.spill`)
      const spill = new Spill(path)
      for (const { xid, lsn, length, byte } of messages) {
        const { bytes, at } = spill.add(length, xid, lsn)
        bytes.fill(byte, at, at + length)
        if (spill.isFull) await spill.flush()
      }
      if (spill.hasFile) await spill.flush()
      const reader = new SpillReader(spill)
      for (const { xid, lsn, length, byte } of messages) {
        while (!reader.next()) if (!(await reader.more())) throw new Error('it ended too soon')
        const read = reader.bytes.subarray(reader.start, reader.start + length)
        const isSame = read.length === length && read.every((each) => each === byte)
        if (reader.xid !== xid || reader.lsn !== lsn || !isSame) throw new Error('it differs')
      }
      if (reader.next() || (await reader.more())) throw new Error('there is more')
      await spill.remove()
      if (existsSync(path)) throw new Error('its file is left')
    }),
    { numRuns: 60 },
  )
  t.equal(count, 60)
})
