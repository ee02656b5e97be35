import { test } from 'tap'
import { RowCache } from '../../src/streams/row-cache.ts'
import { StoredRow } from '../../src/streams/stored-row.ts'

const row = (n: number) => new StoredRow({ version: 1n, timestamp: 0 }, undefined, `{"n":${n}}`)

test('rows in use stay, others go when the budget is full', (t) => {
  const cache = new RowCache(100_000)
  for (let n = 0; n < 10_000; n++) {
    cache.set(String(n), row(n))
    t.equal(cache.get('0')?.text, '{"n":0}')
  }
  const kept = Array.from({ length: 10_000 }, (_, n) => cache.get(String(n))).filter(Boolean)
  t.ok(kept.length > 100 && kept.length < 1_000, `${kept.length} rows`)
  t.equal(cache.get('9999')?.text, '{"n":9999}')
  t.end()
})

test('a deleted row is gone from both generations', (t) => {
  const cache = new RowCache(1_000)
  cache.set('a', row(1))
  cache.set('b', row(2))
  cache.set('a', row(3))
  cache.delete('a')
  t.equal(cache.get('a'), undefined)
  t.equal(cache.get('b')?.text, '{"n":2}')
  t.end()
})
