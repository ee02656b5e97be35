import { test } from 'tap'
import { getMany, getOne, readKey } from '../../src/console/answers.ts'
import type { Queryable } from '../../src/core/queryable.ts'

const windows = [
  { key: 'a', start: 0, end: 10, value: 1 },
  { key: 'a', start: 10, end: 20, value: 2 },
  { key: 'b', start: 10, end: 20, value: 3 },
]
const store = (entries: ReturnType<Queryable['entries']>, more = {}): Queryable => ({
  get: (key) => [...entries].find((entry) => entry.key === key)?.value ?? null,
  entries: () => entries,
  ...more,
})
const values = (query: string, from: Queryable) =>
  getMany(from, new URLSearchParams(query)).map(({ value }) => value)

test('entries are found by range, prefix, key and time of their window', (t) => {
  const numbers = store([1, 2, 10].map((key) => ({ key, value: key })))
  t.strictSame(values('from=2&to=10', numbers), [2, 10])
  t.strictSame(values('limit=1', numbers), [1])
  t.strictSame(values('prefix=1', numbers), [1, 10])
  t.strictSame(values('key=a', store(windows)), [1, 2])
  t.strictSame(values('startFrom=5&startTo=10', store(windows)), [2, 3])
  t.throws(() => values('limit=many', numbers), { code: 'not_a_number' })
  t.end()
})

test('one key is answered as it is or was, and a missing one is an error', (t) => {
  const versions = { asOf: (_key: unknown, time: number) => (time < 5 ? null : { value: 'then' }) }
  const kept = store([{ key: 'a', value: 'now' }], { versions })
  const search = (text: string) => new URLSearchParams(text)
  t.equal(getOne(kept, 'a', search('')), 'now')
  t.equal(getOne(kept, 'a', search('asOf=5')), 'then')
  t.throws(() => getOne(kept, 'a', search('asOf=4')), { code: 'no_such_key' })
  t.throws(() => getOne(store(windows), 'a', search('asOf=4')), { code: 'not_versioned' })
  t.throws(() => getOne(kept, 'z', search('')), { code: 'no_such_key' })
  t.strictSame([readKey('7'), readKey('x y'), readKey('{"a":1}')], [7, 'x y', { a: 1 }])
  t.end()
})
