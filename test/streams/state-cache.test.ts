import { test } from 'tap'
import { CacheRoom } from '../../src/streams/state-cache.ts'

const tenBytes = () => 10

test('entries in use stay, others go when the room is full', (t) => {
  const cache = new CacheRoom(1_000).open<number>(tenBytes)
  for (let n = 0; n < 1_000; n++) {
    cache.set(String(n), n)
    t.equal(cache.get('0'), 0)
  }
  const kept = Array.from({ length: 1_000 }, (_, n) => cache.get(String(n))).filter(
    (value) => value !== undefined,
  )
  t.ok(kept.length > 20 && kept.length <= 100, `${kept.length} entries`)
  t.equal(cache.get('999'), 999)
  t.end()
})

test('caches of one room make place for each other', (t) => {
  const room = new CacheRoom(1_000)
  const [idle, busy] = [room.open<number>(tenBytes), room.open<number>(tenBytes)]
  idle.set('a', 1)
  for (let n = 0; n < 200; n++) busy.set(String(n), n)
  t.equal(idle.get('a'), undefined)
  t.equal(busy.get('199'), 199)
  t.end()
})

test('a deleted entry is gone from both generations', (t) => {
  const cache = new CacheRoom(40).open<number>(tenBytes)
  cache.set('a', 1)
  cache.set('b', 2)
  cache.set('a', 3)
  cache.delete('a')
  t.equal(cache.get('a'), undefined)
  t.equal(cache.get('b'), 2)
  t.end()
})
