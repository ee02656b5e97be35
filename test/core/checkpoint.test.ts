import fc from 'fast-check'
import { test } from 'tap'
import {
  advance,
  assertHeld,
  checkpointKey,
  claim,
  configDigest,
  decodeCheckpoint,
  encodeCheckpoint,
  type StoredCheckpoint,
} from '../../src/core/checkpoint.ts'
import type { Position } from '../../src/core/source.ts'

const us = { source: 'orders', target: 'file 1', config: 'abc' }
const position = '{"sequence":7}' as Position

test('a checkpoint is read back as it was written', async (t) => {
  const arbitrary = fc.record({
    v: fc.constant(1 as const),
    source: fc.string(),
    position: fc.option(fc.string({ unit: 'grapheme' }).map((text) => text as Position)),
    timestamp: fc.nat(),
    epoch: fc.integer({ min: 1 }),
    target: fc.string(),
    config: fc.string(),
  })
  const property = fc.property(arbitrary, (checkpoint) => {
    t.same(decodeCheckpoint(encodeCheckpoint(checkpoint), 'here'), checkpoint)
  })
  fc.assert(property)
})

test('what is no checkpoint of ours is an error that names the place', async (t) => {
  const good = JSON.parse(encodeCheckpoint(claim(undefined, us)))
  for (const text of ['', 'null', '{}', JSON.stringify({ ...good, v: 2 })]) {
    const error = { code: 'TARGET_MISCONFIGURED', message: /shop\/search/ }
    t.throws(() => decodeCheckpoint(text, 'shop/search'), error)
  }
})

test('a key names pipeline, sink, topic and partition, and no two places share one', async (t) => {
  const place = { pipeline: 'shop', name: 'search', topic: 'shop.orders', partition: 0 }
  t.equal(checkpointKey(place), 'shop/search/shop.orders/0')
  t.not(
    checkpointKey({ ...place, pipeline: 'a/b', name: 'c' }),
    checkpointKey({ ...place, pipeline: 'a', name: 'b/c' }),
  )
})

test('the first claim begins at the beginning', async (t) => {
  t.match(claim(undefined, us), { ...us, v: 1, position: null, timestamp: 0, epoch: 1 })
})

test('a later claim raises the epoch and keeps the position', async (t) => {
  const committed = advance(claim(undefined, us), { source: 'orders', position, timestamp: 5 })
  t.match(claim(committed, us), { position, timestamp: 5, epoch: 2 })
})

test('another source, target or configuration forgets the position, not the epoch', async (t) => {
  const committed = advance(claim(undefined, us), { source: 'orders', position, timestamp: 5 })
  for (const other of [{ source: 'x' }, { target: 'x' }, { config: 'x' }]) {
    t.match(claim(committed, { ...us, ...other }), { ...other, position: null, epoch: 2 })
  }
})

test('a commit finds what it wrote last, or learns who is to blame', async (t) => {
  const held = advance(claim(claim(undefined, us), us), {
    source: 'orders',
    position,
    timestamp: 5,
  })
  const finds = (stored: StoredCheckpoint | undefined) => () => assertHeld(stored, held, 'here')
  t.doesNotThrow(finds({ ...held }))
  t.throws(finds({ ...held, epoch: 3 }), { code: 'FENCED' })
  t.throws(finds({ ...held, epoch: 1 }), { code: 'TARGET_CHANGED' })
  t.throws(finds({ ...held, position: 'older' as Position }), { code: 'TARGET_CHANGED' })
  t.throws(finds({ ...held, target: 'file 2', epoch: 9 }), { code: 'TARGET_CHANGED' })
  t.throws(finds(undefined), { code: 'TARGET_CHANGED' })
})

test('a digest tells configurations apart', async (t) => {
  t.equal(configDigest({ search: ['a'] }), configDigest({ search: ['a'] }))
  t.not(configDigest({ search: ['a'] }), configDigest({ search: ['b'] }))
})
