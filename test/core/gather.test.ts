import { test } from 'tap'
import { coverage, gatherBatches } from '../../src/core/gather.ts'
import type { LogRecord } from '../../src/core/record.ts'
import type { Batch, Position } from '../../src/core/source.ts'
import { put } from '../support/records.ts'

const room = { records: 4, bytes: 1_000_000 }

function waiting(name: string, count: number, more: Partial<Batch<LogRecord>> = {}) {
  const records = Array.from({ length: count }, (_, i) => put(`${name}${i}`, {}))
  return { records, position: name as Position, complete: true, ...more }
}

/** A gathering that is past its first batch. */
function started() {
  const gathering = gatherBatches(room)
  gathering.take([waiting('first', 1)])
  return gathering
}

test('what has come meanwhile is written at once, up to the room there is', (t) => {
  const queue = [waiting('a', 1), waiting('b', 2), waiting('c', 2, { atEnd: false })]
  const gathering = started()
  t.match(gathering.take(queue), { position: 'b', records: { length: 3 } })
  t.match(gathering.take(queue), { position: 'c', records: { length: 2 }, atEnd: false })
  t.end()
})

test('a batch that is larger than the room comes by itself', (t) => {
  const queue = [waiting('a', 9), waiting('b', 1)]
  t.match(started().take(queue), { position: 'a', records: { length: 9 } })
  t.equal(queue.length, 1)
  t.end()
})

test('nothing more is read once the room is taken', (t) => {
  const gathering = started()
  t.notOk(gathering.isFull([waiting('a', 3)]))
  t.ok(gathering.isFull([waiting('a', 3), waiting('b', 1)]))
  t.notOk(gatherBatches(room).isFull([waiting('a', 4)]), 'the first may be twice as large')
  t.ok(gatherBatches({ records: 4, bytes: 10 }).isFull([waiting('a', 1)]))
  t.end()
})

test('the first batch waits until it covers what may have been in flight', (t) => {
  const gathering = gatherBatches(room)
  const queue = [waiting('a', 6, { atEnd: false })]
  t.equal(gathering.take(queue), undefined)
  queue.push(waiting('b', 3, { atEnd: false }))
  t.match(gathering.take(queue), { position: 'b', records: { length: 9 } })
  t.end()
})

test('the first batch waits for no more than there is', (t) => {
  const queue = [waiting('a', 1, { atEnd: false }), waiting('b', 1, { atEnd: true })]
  t.match(gatherBatches(room).take(queue), { position: 'b', records: { length: 2 } })
  t.end()
})

test('an errand is joined with nothing', (t) => {
  const queue = [waiting('a', 1), waiting('b', 1, { alone: true }), waiting('c', 1)]
  const gathering = gatherBatches(room)
  t.equal(gathering.take(queue)?.position, 'a')
  t.equal(gathering.take(queue)?.position, 'b')
  t.equal(gathering.take(queue)?.position, 'c')
  t.end()
})

test('all that may have been in flight has come with the end, or once the room is full', (t) => {
  const atEnd = coverage(room)
  t.notOk(atEnd(waiting('a', 1, { atEnd: false })))
  t.ok(atEnd(waiting('b', 1, { atEnd: true })))
  t.ok(atEnd(waiting('c', 1, { atEnd: false })), 'and for good')
  const full = coverage(room)
  t.notOk(full(waiting('a', 7, { atEnd: false })))
  t.ok(full(waiting('b', 1, { atEnd: false })))
  t.end()
})
