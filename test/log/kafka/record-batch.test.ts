import { createRecordsBatch, Reader, readRecordsBatches } from '@platformatic/kafka'
import fc from 'fast-check'
import { test } from 'tap'
import type { NewRecord } from '../../../src/core/record.ts'
import { readBatches, readRecords } from '../../../src/log/kafka/batch-reader.ts'
import { compressions } from '../../../src/log/kafka/compression.ts'
import { HeaderWriter, toRecord } from '../../../src/log/kafka/headers.ts'
import { BatchWriter } from '../../../src/log/kafka/record-batch.ts'

const bytes = fc.uint8Array({ maxLength: 300 }).map((array) => Buffer.from(array))
const entry = fc.record({
  key: fc.option(bytes),
  value: fc.option(bytes),
  timestamp: fc.integer({ min: 0, max: 2 ** 42 }),
})
const stamp = { producerId: 7n, epoch: 3, sequence: 11, isTransactional: true }

test('the client reads what our encoder writes', (t) => {
  fc.assert(
    fc.property(fc.array(entry, { minLength: 1, maxLength: 40 }), (entries) => {
      const writer = new BatchWriter('none')
      for (const each of entries) writer.add(each)
      const [batch] = readRecordsBatches(Reader.from(writer.take(stamp)))
      const theirs = batch!.records.map(({ key, value, timestampDelta }) => ({
        key: key && Buffer.from(key),
        value: value && Buffer.from(value),
        timestamp: Number(batch!.firstTimestamp + timestampDelta),
      }))
      t.same(theirs, entries)
      t.same([batch!.producerId, batch!.producerEpoch, batch!.firstSequence], [7n, 3, 11])
    }),
  )
  t.end()
})

for (const compression of compressions) {
  test(`our decoder reads what our encoder writes, compression ${compression}`, (t) => {
    fc.assert(
      fc.property(fc.array(entry, { minLength: 1, maxLength: 40 }), (entries) => {
        const writer = new BatchWriter(compression)
        for (const each of entries) writer.add(each)
        const [batch] = [...readBatches(writer.take(stamp))]
        const found = [...readRecords(batch!, 0)]
        t.same(
          found.map(({ key, value, timestamp }) => ({ key, value, timestamp })),
          entries,
        )
        t.same(
          found.map(({ offset }) => offset),
          entries.map((_, i) => i),
        )
      }),
    )
    t.end()
  })
}

test('our decoder reads what the client compresses with lz4 and snappy', (t) => {
  const messages = Array.from({ length: 50 }, (_, i) => ({
    ...{ topic: 't', partition: 0, timestamp: 1_700_000_000_000n },
    ...{ key: Buffer.from(`k${i}`), value: Buffer.from(`value ${i % 3}`.repeat(20)) },
  }))
  for (const compression of ['lz4', 'snappy'] as const) {
    const { buffer } = createRecordsBatch(messages, { compression })
    const [batch] = [...readBatches(buffer)]
    const values = [...readRecords(batch!, 0)].map(({ value }) => value)
    t.same(
      values,
      messages.map(({ value }) => value),
    )
  }
  t.end()
})

test('a record keeps version, ordinal, end and headers of its own', (t) => {
  const text = fc.string({ maxLength: 20 })
  const record = fc.record({
    version: fc.bigInt({ min: 1n, max: 2n ** 63n }),
    ordinal: fc.nat(),
    endsCommit: fc.boolean(),
    cause: fc.option(fc.bigInt({ min: 0n, max: 2n ** 53n }), { nil: undefined }),
    headers: fc.option(fc.dictionary(fc.string({ minLength: 1, maxLength: 9 }), text), {
      nil: undefined,
    }),
  })
  const encoder = new HeaderWriter()
  fc.assert(
    fc.property(fc.array(record, { minLength: 1, maxLength: 20 }), (parts) => {
      const writer = new BatchWriter('none')
      for (const part of parts) {
        const whole: NewRecord = { ...part, topic: 't', key: null, value: null, timestamp: 0 }
        writer.add(whole, encoder.encode(whole, part.endsCommit, undefined))
      }
      const [batch] = [...readBatches(writer.take(stamp))]
      const origin = { topic: 't', partition: 0, attach: () => {} }
      const found = [...readRecords(batch!, 0)].map((raw) => toRecord(raw, origin))
      for (const [i, { version, ordinal, endsCommit, cause, headers }] of parts.entries()) {
        t.match(found[i], { version, ordinal, endsCommit })
        t.equal(found[i]!.cause, cause)
        t.same(found[i]!.headers ?? {}, { ...headers })
      }
    }),
  )
  t.end()
})
