import { test } from 'tap'
import { isMadeUp, mapColumns } from '../../../sinks/elasticsearch/mapping.ts'
import type { ColumnKind } from '../../../src/core/schema.ts'

test('a column is mapped by its type at the origin', (t) => {
  const map = (kind: ColumnKind, type: string, element?: ColumnKind) =>
    mapColumns({
      columns: [{ name: 'c', kind, type, key: false, ...(element && { element }) }],
    }).c?.type
  t.equal(map('number', 'int2'), 'short')
  t.equal(map('number', 'int4'), 'integer')
  t.equal(map('number', 'float8'), 'double')
  t.equal(map('int8', 'int8'), 'long')
  t.equal(map('string', 'varchar(20)'), 'text')
  t.equal(map('string', 'uuid'), 'keyword')
  t.equal(map('string', 'public.mood'), 'keyword')
  t.equal(map('timestamptz', 'timestamptz'), 'date')
  t.equal(map('json', 'jsonb'), 'object')
  t.equal(map('array', 'int4[]', 'number'), 'integer')
  t.equal(map('array', '_text', 'string'), 'text')
  t.end()
})

test('a mapping that the server made up is told from one that somebody wrote', (t) => {
  const text = { type: 'text', fields: { keyword: { type: 'keyword', ignore_above: 256 } } }
  const madeUp = { properties: { a: text, b: { properties: { c: { type: 'long' } } } } }
  t.ok(isMadeUp(madeUp))
  t.ok(isMadeUp({}))
  t.notOk(isMadeUp({ ...madeUp, _meta: {} }))
  t.notOk(isMadeUp({ ...madeUp, dynamic: 'false' }))
  t.notOk(isMadeUp({ properties: { a: text, b: { type: 'keyword' } } }))
  t.notOk(isMadeUp({ properties: { b: { dynamic: 'true', properties: {} } } }))
  t.end()
})
