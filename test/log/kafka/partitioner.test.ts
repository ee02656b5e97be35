import { murmur2 as theirs } from '@platformatic/kafka'
import fc from 'fast-check'
import { test } from 'tap'
import { murmur2, partitionOf } from '../../../src/log/kafka/partitioner.ts'

test('keys go to the partitions that Java chooses', (t) => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), (key) => {
      t.equal(murmur2(key), theirs(Buffer.from(key)))
    }),
  )
  // From Kafka's own UtilsTest.
  t.equal(murmur2(Buffer.from('21')), -973932308)
  t.equal(murmur2(Buffer.from('foobar')), -790332482)
  t.equal(murmur2(Buffer.from('a-little-bit-long-string')), -985981536)
  t.equal(partitionOf(Buffer.from('21'), 1), 0)
  t.end()
})
