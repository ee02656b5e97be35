import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'tap'
import { ByteWriter } from '../../src/core/byte-writer.ts'
import {
  asRecords,
  closePiece,
  endsCommit,
  hasKey,
  hasValue,
  openPiece,
  writeVarint,
} from '../../src/core/packed-records.ts'
import type { NewRecord } from '../../src/core/record.ts'
import type { Position } from '../../src/core/source.ts'
import { openEmbeddedLog } from '../../src/log/embedded.ts'

/** One commit: key `k<i>`, values of all lengths. */
function commit(topic: string, version: bigint, count: number): NewRecord[] {
  return Array.from({ length: count }, (_, ordinal) => ({
    ...{ topic, version, ordinal, timestamp: Number(version), endsCommit: ordinal === count - 1 },
    key: Buffer.from(`k${ordinal}`),
    value: Buffer.alloc((ordinal * 997) % 40_000, ordinal),
    ...{ headers: undefined, schema: undefined, cause: undefined },
  }))
}

function packed(records: readonly NewRecord[]): readonly NewRecord[] {
  const out = new ByteWriter()
  const ends: number[] = []
  out.begin()
  for (const record of records) {
    out.byte(hasKey | hasValue | (record.endsCommit ? endsCommit : 0))
    out.reserve(8)
    writeVarint(out, record.ordinal)
    for (const piece of [record.key!, record.value!]) {
      const place = openPiece(out)
      out.copy(piece)
      closePiece(out, place)
    }
    ends.push(out.length)
  }
  const { topic, version, timestamp } = records[0]!
  return asRecords({ topic, version, timestamp, schema: undefined, bytes: out.take(), ends })
}

test('the log stores packed records as it stores others, also mixed with them', async (t) => {
  const path = mkdtempSync(join(tmpdir(), 'millrace-log-'))
  t.teardown(() => rmSync(path, { recursive: true }))
  const log = await openEmbeddedLog({ path })
  const writer = log.writer('w')
  const position = 'p' as Position
  const batches = [
    [commit('a', 1n, 3), commit('b', 2n, 200), commit('a', 3n, 500)],
    [commit('b', 4n, 1), commit('a', 5n, 2)],
  ]
  for (const [round, batch] of batches.entries()) {
    for (const [i, records] of batch.entries()) {
      const isPacked = (round + i) % 2 === 0
      await writer.write({
        records: isPacked ? packed(records) : records,
        position,
        complete: true,
      })
    }
    await writer.commit({ source: 's', position, timestamp: 0 })
  }
  const wanted = batches.flat(2)
  const stop = new AbortController()
  const read = []
  for await (const { records } of log.reader(['a', 'b'], 'g').read(undefined, stop.signal)) {
    read.push(...records)
    if (read.length >= wanted.length) break
  }
  const say = (record: NewRecord) => ({
    ...{ topic: record.topic, version: record.version, ordinal: record.ordinal },
    ...{ key: String(record.key), ends: record.endsCommit, timestamp: record.timestamp },
    value: Buffer.from(record.value!).toString('latin1'),
  })
  t.strictSame(read.map(say), wanted.map(say))
  const offsets = read.filter(({ topic }) => topic === 'a').map(({ offset }) => offset)
  t.strictSame(offsets, [...offsets.keys()].map(BigInt))
  await log.close()
  const again = await openEmbeddedLog({ path })
  t.equal(again.lanes.get('a')?.nextOffset, 505)
  await again.close()
})
