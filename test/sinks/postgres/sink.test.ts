import t, { type Test } from 'tap'
import { postgresSink } from '../../../sinks/postgres/index.ts'
import type { LogRecord } from '../../../src/core/record.ts'
import type { Column, ColumnKind, Schema } from '../../../src/core/schema.ts'
import { apply, source } from '../../contract/sink-steps.ts'
import { collect } from '../../support/collect.ts'
import { put, remove } from '../../support/records.ts'
import { startWithTls } from '../../support/servers/postgres-tls.ts'
import { usePostgres } from '../../support/servers/use.ts'
import { context, optionsOf } from './target.ts'

const column = (name: string, kind: ColumnKind, type: string): Column => ({
  name,
  kind,
  type,
  key: name === 'id',
})

const list = (name: string, element: ColumnKind, type: string): Column => ({
  ...column(name, 'array', type),
  element,
})

const withSchema = (record: LogRecord, schema: Schema): LogRecord => ({ ...record, schema })

async function start(t: Test, more: object = {}) {
  const database = await usePostgres(t)
  const sink = postgresSink.open(optionsOf(database.url, more), context)
  t.teardown(() => sink.close())
  await sink.resume(source)
  return { sink, ...database }
}

const all: Schema = {
  columns: [
    column('id', 'int8', 'int8'),
    column('price', 'decimal', 'numeric(30,10)'),
    column('small', 'number', 'int2'),
    column('ratio', 'number', 'float8'),
    column('yes', 'boolean', 'bool'),
    column('name; DROP "TABLE" \\', 'string', 'text'),
    column('data', 'bytes', 'bytea'),
    column('at', 'timestamptz', 'timestamptz'),
    column('day', 'date', 'date'),
    column('nested', 'json', 'jsonb'),
    list('tags', 'string', 'text[]'),
    list('grid', 'number', 'int4[]'),
    list('times', 'timestamptz', '_timestamptz'),
    list('files', 'bytes', 'bytea[]'),
    list('loose', 'json', 'jsonb[]'),
    column('clock', 'time', 'time(3)'),
    column('zoned', 'time', 'timetz'),
    column('unique', 'string', 'uuid'),
    column('_id', 'string', 'text'),
    column('none', 'json', 'json'),
  ],
}

t.test('the table has the columns of the rows, with their types and every digit', async (t) => {
  const { sink, query } = await start(t)
  const row =
    '{"id":9223372036854775807,"price":"12345678901234567890.0123456789","small":-7,' +
    '"ratio":0.1,"yes":true,"name; DROP \\"TABLE\\" \\\\":"it\'s","data":"3q2+7w==",' +
    '"at":"2026-01-02T03:04:05.678901Z","day":"2026-01-02","nested":{"a":[1]},' +
    '"tags":["x",null,"a,\\"b"],"grid":[[1,2],[3,null]],"times":["2026-01-02T03:04:05Z"],' +
    '"files":["3q2+7w=="],"loose":[1,{"a":null}],"clock":"24:00:00","zoned":"03:04:05.6+02:00",' +
    '"unique":"6f8e1c1e-7d57-4b1c-9d5b-3a5c1f7d2e10","_id":"mine","none":null}'
  t.same(await apply(sink, [withSchema(put(1, row), all)]), ['applied'])
  const [found] = await query(`
    SELECT id::text, price::text, small, ratio, yes, "name; DROP ""TABLE"" \\" AS name,
      encode(data, 'hex') AS data, (at AT TIME ZONE 'UTC')::text AS at, day::text, nested,
      tags, grid::text, times::text, files, loose, clock::text, zoned::text,
      pg_typeof("unique")::text AS uuid, _id, none IS NULL AS none,
      pg_typeof(price)::text AS type FROM orders`)
  t.same(found, {
    id: '9223372036854775807',
    price: '12345678901234567890.0123456789',
    small: -7,
    ratio: 0.1,
    yes: true,
    name: "it's",
    data: 'deadbeef',
    at: '2026-01-02 03:04:05.678901',
    day: '2026-01-02',
    nested: { a: [1] },
    tags: ['x', null, 'a,"b'],
    grid: '{{1,2},{3,NULL}}',
    times: '{"2026-01-02 03:04:05+00"}',
    files: ['3q2+7w=='],
    loose: [1, { a: null }],
    clock: '24:00:00',
    zoned: '03:04:05.6+02',
    uuid: 'uuid',
    _id: '1',
    none: true,
    type: 'numeric',
  })
})

t.test('a column that the rows get later is added', async (t) => {
  const { sink, query } = await start(t)
  const before = { columns: [column('id', 'number', 'int4')] }
  const after = { columns: [...before.columns, column('note', 'string', 'text')] }
  await apply(sink, [withSchema(put(1, { id: 1 }), before)])
  await apply(sink, [
    withSchema(put(1, { id: 1, note: 'new' }, { version: 2 }), after),
    withSchema(put(2, { id: 2 }, { version: 2 }), before),
  ])
  t.same(await query('SELECT id, note FROM orders ORDER BY id'), [
    { id: 1, note: 'new' },
    { id: 2, note: null },
  ])
})

t.test('a column becomes as wide as its rows, and never narrower', async (t) => {
  const { sink, query } = await start(t)
  const as = (n: Column, tags: Column) => ({ columns: [column('id', 'number', 'int4'), n, tags] })
  const narrow = as(column('n', 'number', 'int4'), list('tags', 'number', 'int4[]'))
  const wide = as(column('n', 'int8', 'int8'), list('tags', 'int8', 'int8[]'))
  const text = as(column('n', 'boolean', 'bool'), column('tags', 'date', 'date'))
  const types = async () => {
    const [row] = await query(
      'SELECT pg_typeof(n)::text AS n, pg_typeof(tags)::text AS tags FROM orders',
    )
    return row
  }
  await apply(sink, [withSchema(put(1, { id: 1, n: 1, tags: [1] }), narrow)])
  t.same(await types(), { n: 'integer', tags: 'integer[]' })
  const large = '{"id":2,"n":9223372036854775807,"tags":[9223372036854775807]}'
  t.same(
    await apply(sink, [
      withSchema(put(3, { id: 3, n: 3, tags: [] }, { version: 2 }), narrow),
      withSchema(put(2, large, { version: 2, ordinal: 1 }), wide),
    ]),
    ['applied', 'applied'],
  )
  t.same(await types(), { n: 'bigint', tags: 'bigint[]' })
  const odd = { id: 4, n: true, tags: '2026-01-02' }
  await apply(sink, [
    withSchema(put(4, odd, { version: 3 }), text),
    withSchema(put(5, { id: 5, n: 5, tags: null }, { version: 3, ordinal: 1 }), narrow),
  ])
  t.same(await types(), { n: 'text', tags: 'text' })
  t.same(await query('SELECT id, n, tags FROM orders ORDER BY id'), [
    { id: 1, n: '1', tags: '[1]' },
    { id: 2, n: '9223372036854775807', tags: '[9223372036854775807]' },
    { id: 3, n: '3', tags: '[]' },
    { id: 4, n: 'true', tags: '2026-01-02' },
    { id: 5, n: '5', tags: null },
  ])
})

t.test(
  'a row that does not fit is refused, an older one is kept, the rest is written',
  async (t) => {
    const { sink, query } = await start(t)
    const schema = { columns: [column('id', 'number', 'int2')] }
    const records = [
      put(1, { id: 1 }),
      put(2, { id: 2 }),
      put(2, { id: 70_000 }, { version: 2 }),
      put(3, '{"id":3,"text":"\\u0000"}'),
      put(4, { id: 4 }),
    ].map((record) => withSchema(record, schema))
    t.match(await apply(sink, records), [
      'applied',
      'applied',
      { code: '22003' },
      { code: '22P05' },
      'applied',
    ])
    t.same(await query('SELECT id FROM orders ORDER BY id'), [{ id: 1 }, { id: 2 }, { id: 4 }])
  },
)

t.test('thousands of rows and deletes are one transaction', async (t) => {
  const { sink, query } = await start(t)
  const rows = Array.from({ length: 5000 }, (_, i) => put(i, { i }, { ordinal: i }))
  await apply(sink, rows)
  await apply(
    sink,
    rows.slice(1).map((_, i) => remove(i, { version: 2, ordinal: i })),
  )
  t.same(await query('SELECT count(*)::int AS n FROM orders'), [{ n: 1 }])
  t.same(await query('SELECT count(DISTINCT _at)::int AS n FROM orders__deleted'), [{ n: 1 }])
})

t.test('a table that is not ours is left alone', async (t) => {
  const { url, query } = await usePostgres(t)
  await query('CREATE TABLE orders (id int)')
  const sink = postgresSink.open(optionsOf(url), context)
  t.teardown(() => sink.close())
  const rejected = { code: 'TARGET_MISCONFIGURED', message: /not made by millrace/ }
  await t.rejects(sink.resume(source), rejected)
  const other = postgresSink.open(optionsOf(url, { table: 'mine' }), context)
  const another = postgresSink.open(optionsOf(url, { table: 'mine' }), { ...context, name: 'b' })
  t.teardown(() => other.close().then(() => another.close()))
  await other.resume(source)
  await t.rejects(another.resume(source), { code: 'TARGET_MISCONFIGURED', message: /shop\/lookup/ })
})

t.test('a connection that is lost in the middle leaves nothing behind', async (t) => {
  const { sink, query } = await start(t)
  await apply(sink, [put(1, { n: 1 })], 'here')
  await sink.write({
    records: [put(1, { n: 2 }, { version: 2 })],
    position: '' as never,
    complete: true,
  })
  await query(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE application_name LIKE 'millrace/shop%' AND datname = current_database()`)
  const rejected = { code: 'CONNECTION_LOST' }
  await t.rejects(sink.commit({ source, position: 'there' as never, timestamp: 1 }), rejected)
  t.equal(await sink.resume(source), 'here')
  t.same(await query(`SELECT _doc ->> 'n' AS n FROM orders`), [{ n: '1' }])
})

t.test('rights and places are checked', async (t) => {
  const { url, query } = await usePostgres(t)
  t.match(await collect(postgresSink.check(optionsOf(url))), [{ level: 'ok' }, { level: 'ok' }])
  const missing = await collect(postgresSink.check(optionsOf(url, { schema: 'nowhere' })))
  t.match(missing[1], { level: 'error', what: /nowhere does not exist/ })
  const role = `r${Date.now()}`
  await query(`CREATE ROLE ${role} LOGIN PASSWORD 'x'; CREATE SCHEMA closed`)
  t.teardown(() => query(`DROP ROLE ${role}`))
  const poor = new URL(url)
  poor.username = role
  poor.password = 'x'
  const found = await collect(postgresSink.check(optionsOf(poor.href, { schema: 'closed' })))
  t.match(found.at(-1), { level: 'error', hint: /GRANT/ })
})

t.test('TLS is spoken as the options say, which go before the URL', async (t) => {
  const { at, files } = await startWithTls(t)
  const url = at('localhost', 'disable')
  const mode = { 'database.sslmode': 'verify-full' }
  const sink = postgresSink.open(
    optionsOf(url, { ...mode, 'database.sslrootcert': files.authority }),
    context,
  )
  t.teardown(() => sink.close())
  t.equal(await sink.resume(source), undefined)
  const untrusted = postgresSink.open(optionsOf(url, mode), context)
  await t.rejects(untrusted.resume(source), {
    code: 'TARGET_MISCONFIGURED',
    message: /cannot be trusted: .*database\.sslrootcert/,
  })
})
