import { test } from 'tap'
import { decodeDocument } from '../../src/core/document.ts'
import type { LogRecord } from '../../src/core/record.ts'
import { note, put, remove, tombstone } from '../support/records.ts'

test('a change is the state after it, with its place in the order of commits', async (t) => {
  const read = decodeDocument(
    put('a', '{"id":"a","n":9007199254740993}', { version: 7, ordinal: 3 }),
  )
  if (typeof read === 'string' || !('id' in read)) throw new Error('a document was expected')
  t.equal(read.id, 'a')
  t.equal(String(read.key), '{"id":"a"}')
  t.equal(String(read.body), '{"id":"a","n":9007199254740993}')
  t.equal(read.version, 7n)
  t.equal(read.ordinal, 3)
})

test('a delete and a tombstone delete', async (t) => {
  t.match(decodeDocument(remove('a', { version: 8 })), { id: 'a', body: null, version: 8n })
  t.match(decodeDocument(tombstone('a', { version: 8 })), { id: 'a', body: null, version: 8n })
})

test('creates and snapshot reads are upserts', async (t) => {
  for (const op of ['c', 'r']) {
    const record = withValue(`{"op":"${op}","after":{"x":1},"before":null}`)
    t.match(decodeDocument(record), { body: Buffer.from('{"x":1}') })
  }
})

test('truncates and messages are none of our business', async (t) => {
  t.equal(decodeDocument(note('t')), 'filtered')
  t.equal(decodeDocument(note('m')), 'filtered')
})

test('a record without a place is refused', async (t) => {
  t.match(decodeDocument({ ...put('a', {}), key: null }), { code: 'no_key' })
  t.match(decodeDocument({ ...tombstone('a'), key: null }), { code: 'no_key' })
  t.match(decodeDocument({ ...put('a', {}), key: Buffer.from('') }), { code: 'not_a_change' })
  for (const value of ['', 'text', '{"id":1}', '{"op":"u","after":null}', '{"op":"u"}', '[1]']) {
    t.match(decodeDocument(withValue(value)), { code: 'not_a_change' }, value)
  }
})

function withValue(value: string): LogRecord {
  return { ...put('a', {}), value: Buffer.from(value) }
}
