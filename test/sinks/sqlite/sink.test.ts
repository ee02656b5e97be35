import { copyFile, mkdtempDisposable, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { type Test, test } from 'tap'
import { sqlite } from '../../../sinks/sqlite/index.ts'
import { options, type SqliteOptions } from '../../../sinks/sqlite/options.ts'
import type { LogRecord } from '../../../src/core/record.ts'
import type { Sink } from '../../../src/core/sink.ts'
import type { Position } from '../../../src/core/source.ts'
import { sinkContract } from '../../contract/sink.ts'
import { collect } from '../../support/collect.ts'
import { batch, note, put, remove } from '../../support/records.ts'

const everything = { versioned: true, keepsDeletes: true, transactional: true }

const plain: Partial<SqliteOptions> = {}
const indexed: Partial<SqliteOptions> = {
  search: ['name', 'nested.items'],
  columns: { n: 'total' },
}

for (const [name, more] of [
  ['sqlite', plain],
  ['sqlite with search and columns', indexed],
] as const) {
  sinkContract(name, everything, async () => {
    const folder = await mkdtempDisposable(join(tmpdir(), 'sqlite-sink-'))
    const path = join(folder.path, 'shop.db')
    const sinks: Sink<LogRecord>[] = []
    return {
      open() {
        const sink = open({ path, ...more })
        sinks.push(sink)
        return sink
      },
      stored: async () => new Map(ask(path, 'SELECT id, doc FROM orders').map(pair)),
      wipe: () => rm(path),
      async close() {
        for (const sink of sinks) await sink.close()
        await folder.remove()
      },
    }
  })
}

const pair = ({ id, doc }: Record<string, unknown>) => [String(id), String(doc)] as const

test('text is found in the fields that are searched, at any depth of them', async (t) => {
  const { sink, found } = await started(t, { search: ['customer.name', 'items.product', 'note'] })
  await apply(sink, [
    put('1', { customer: { name: 'Ada Lovelace' }, items: [{ product: 'Red kettle' }] }),
    put('2', {
      customer: { name: 'Bob' },
      items: [{ product: { name: 'Kettle', tags: ['blue'] } }],
    }),
    put('3', { customer: null, secret: 'kettle', note: 4711 }),
  ])
  t.same(found('kettle'), ['1', '2'])
  t.same(found('blue'), ['2'])
  t.same(found('customer_name: ada'), ['1'])
  t.same(found('note: kettle'), [])
  t.same(found('4711'), ['3'])
})

test('the search index follows updates and deletes', async (t) => {
  const { sink, found } = await started(t, { search: ['name'] })
  await apply(sink, [put('1', { name: 'kettle' }), put('2', { name: 'kettle' })])
  await apply(sink, [put('1', { name: 'teapot' }, { version: 2 }), remove('2', { version: 2 })])
  t.same(found('kettle'), [])
  t.same(found('teapot'), ['1'])
  await apply(sink, [put('2', { name: 'kettle' }, { version: 3 })])
  t.same(found('kettle'), ['2'])
  await sink.clear('orders')
  t.same(found('kettle OR teapot'), [])
})

test('columns hold fields of the document, integers exactly', async (t) => {
  const { sink, path } = await started(t, { columns: { total: 'sum.total', city: 'address.city' } })
  await apply(sink, [
    put('1', '{"sum":{"total":9223372036854775807},"address":{"city":"Ulm"}}'),
    put('2', '{"sum":null}'),
  ])
  const rows = ask(path, 'SELECT CAST(total AS TEXT) AS total, city FROM orders ORDER BY id')
  t.match(rows, [
    { total: '9223372036854775807', city: 'Ulm' },
    { total: null, city: null },
  ])
  const plan = ask(path, "EXPLAIN QUERY PLAN SELECT doc FROM orders WHERE city = 'Ulm'")
  t.match(plan, [{ detail: /USING INDEX/ }])
})

test('a template makes the id', async (t) => {
  const { sink, path } = await started(t, { id: 'order:{id}' })
  await apply(sink, [put(7, {})])
  t.match(ask(path, 'SELECT id FROM orders'), [{ id: 'order:7' }])
  const other = put({ shop: 1, id: 7 }, {})
  await t.rejects(sink.write(batch([other])), { code: 'CONFIG_INVALID' })
})

test('nobody sees a batch before its commit', async (t) => {
  const { sink, path } = await started(t)
  await apply(sink, [put('1', { total: 5 })])
  await sink.write(batch([put('1', { total: 6 }, { version: 2 }), put('2', {}, { version: 2 })]))
  t.match(ask(path, 'SELECT doc FROM orders'), [{ doc: '{"total":5}' }])
})

test('a batch sees what was staged before it', async (t) => {
  const { sink, path } = await started(t)
  await sink.write(batch([put('1', { total: 6 }, { version: 2 }), put('2', {})]))
  t.same(await sink.write(batch([put('1', {}), remove('2', { version: 2 })])), ['stale', 'applied'])
  await apply(sink, [])
  t.match(ask(path, 'SELECT id, doc FROM orders'), [{ id: '1', doc: '{"total":6}' }])
})

test('an upsert survives the delete of another key, also when a commit comes in parts', async (t) => {
  const { sink, path } = await started(t)
  await apply(sink, [put({ id: '1' }, { total: 5 })])
  await apply(sink, [put({ number: '1' }, { total: 6 }, { version: 2 })])
  const late = remove({ id: '1' }, { version: 2, ordinal: 1 })
  t.same(await apply(sink, [late]), ['stale'])
  t.match(ask(path, 'SELECT doc FROM orders'), [{ doc: '{"total":6}' }])
})

test('sinks of one process share a file', async (t) => {
  const { sink, path } = await started(t)
  const other = open({ path, table: 'more' }, { name: 'second' })
  t.teardown(() => other.close())
  await other.resume('orders')
  await sink.write(batch([put('1', {})]))
  await other.write(batch([put('2', {})]))
  await apply(sink, [])
  await apply(other, [])
  t.match(ask(path, 'SELECT id FROM orders'), [{ id: '1' }])
  t.match(ask(path, 'SELECT id FROM more'), [{ id: '2' }])
})

test('a deleted file is filled again by all the sinks that shared it', async (t) => {
  const { sink, path } = await started(t)
  const other = open({ path, table: 'more' }, { name: 'second' })
  t.teardown(() => other.close())
  await other.resume('orders')
  await apply(sink, [put('1', {})])
  await apply(other, [put('2', {})])
  await rm(path)
  await t.rejects(apply(sink, [put('3', {})]), { code: 'TARGET_CHANGED' })
  t.equal(await sink.resume('orders'), undefined)
  await apply(sink, [put('1', {})])
  await t.rejects(apply(other, [put('4', {})]), { code: 'TARGET_CHANGED' })
  t.equal(await other.resume('orders'), undefined)
  await apply(other, [put('2', {})])
  await apply(sink, [put('3', {})], 'end')
  await sink.close()
  await other.close()
  t.match(ask(path, 'SELECT id FROM orders ORDER BY id'), [{ id: '1' }, { id: '3' }])
  t.match(ask(path, 'SELECT id FROM more'), [{ id: '2' }])
  t.equal(await sink.resume('orders'), 'end')
})

test('a key of NULL has a document of its own', async (t) => {
  const { sink, path } = await started(t)
  await apply(sink, [put({ id: null }, { n: 1 }), put('null', { n: 2 })])
  await apply(sink, [remove({ id: null }, { version: 2 })])
  t.match(ask(path, 'SELECT id, doc FROM orders'), [{ id: 'null', doc: '{"n":2}' }])
})

test('partitions share a table, and are cleared one by one', async (t) => {
  const { sink, path } = await started(t)
  const other = open({ path }, { partition: 1 })
  t.teardown(() => other.close())
  await other.resume('orders')
  await apply(sink, [put('1', {})])
  await apply(other, [put('2', {})])
  await sink.clear('orders')
  t.match(ask(path, 'SELECT id FROM orders'), [{ id: '2' }])
})

test('two sinks do not write to one table', async (t) => {
  const { path } = await started(t)
  const other = open({ path }, { name: 'second' })
  await t.rejects(other.resume('orders'), { code: 'TARGET_MISCONFIGURED', message: /shop\/search/ })
})

test('a table that somebody else made is left alone', async (t) => {
  const path = join(t.testdir(), 'mine.db')
  ask(path, "CREATE TABLE Orders AS SELECT 'precious' AS thing")
  await t.rejects(open({ path }).resume('orders'), { code: 'TARGET_MISCONFIGURED' })
  t.match(ask(path, 'SELECT thing FROM orders'), [{ thing: 'precious' }])
})

test('other options fill the table anew, and fence off who has the old ones', async (t) => {
  const { sink, path } = await started(t)
  await apply(sink, [put('1', { name: 'kettle' })])
  const other = open({ path, search: ['name'] })
  t.teardown(() => other.close())
  t.equal(await other.resume('orders'), undefined)
  t.match(ask(path, 'SELECT id FROM orders'), [])
  await t.rejects(apply(sink, [put('2', {})]), { code: 'FENCED' })
})

test('a backup that was put back is filled up from where it was', async (t) => {
  const { sink, path } = await started(t)
  await apply(sink, [put('1', { total: 5 })], 'then')
  await sink.close()
  await copyFile(path, `${path}.backup`)
  await sink.resume('orders')
  await apply(sink, [put('1', { total: 6 }, { version: 2 })], 'now')
  await rm(path)
  await copyFile(`${path}.backup`, path)
  await rm(`${path}-wal`)
  await rm(`${path}-shm`)
  await t.rejects(apply(sink, []), { code: 'TARGET_CHANGED' })
  t.equal(await sink.resume('orders'), 'then')
  t.match(ask(path, 'SELECT doc FROM orders'), [{ doc: '{"total":5}' }])
})

test('the version of a delete is forgotten after a week', async (t) => {
  const { sink, path } = await started(t)
  await apply(sink, [remove('1', { version: 2 }), remove('2', { version: 2 })])
  ask(path, "UPDATE orders__deleted SET at = at - 8 * 24 * 3600 * 1000 WHERE id = '1'")
  await apply(sink, [])
  t.match(ask(path, 'SELECT id FROM orders__deleted'), [{ id: '2' }])
  t.same(await apply(sink, [put('1', {}), put('2', {})]), ['applied', 'stale'])
})

test('a record that no document can be made of is refused; the others go on', async (t) => {
  const { sink, path } = await started(t, { search: ['name'] })
  const outcomes = await apply(sink, [
    put('1', { total: 5 }),
    put('1', '{"total":nonsense}', { version: 2 }),
    { ...put('2', {}), value: Buffer.from('[]') },
    { ...put('3', {}), key: null },
    note('t'),
  ])
  t.match(outcomes, [
    'applied',
    { code: 'malformed_json' },
    { code: 'not_a_change' },
    { code: 'no_key' },
    'filtered',
  ])
  t.match(ask(path, 'SELECT doc FROM orders'), [{ doc: '{"total":5}' }])
})

test('a lock of another process is waited for, then reported as a busy target', async (t) => {
  const { sink, path } = await started(t)
  const other = new DatabaseSync(path)
  t.teardown(() => other.close())
  other.exec('BEGIN IMMEDIATE')
  await t.rejects(apply(sink, [put('1', {})]), { code: 'TARGET_BUSY' })
  other.exec('ROLLBACK')
  await sink.resume('orders')
  t.same(await apply(sink, [put('1', {})]), ['applied'])
})

test('what is wrong with the file is said by the sink, and by the check before', async (t) => {
  const folder = t.testdir({ 'notes.txt': 'just some words, and no database at all' })
  for (const path of [join(folder, 'notes.txt'), join(folder, 'no', 'shop.db')]) {
    await t.rejects(open({ path }).resume('orders'), { code: 'TARGET_MISCONFIGURED' })
    t.match(await findings(path), [{ level: 'error' }])
  }
  t.match(await findings(folder), [{ level: 'error' }])
  t.match(await findings(join(folder, 'shop.db')), [{ level: 'ok' }])
  await writeFile(join(folder, 'empty.db'), '')
  t.match(await findings(join(folder, 'empty.db')), [{ level: 'ok' }])
})

test('options that cannot work are refused', async (t) => {
  const accepts = (more: object) =>
    options.safeParse({ type: 'sqlite', path: 'shop.db', ...more }).success
  t.ok(accepts({ table: 'orders', search: ['a.b', 'c'], columns: { total: 'sum.total' } }))
  t.notOk(accepts({ table: 'or-ders' }))
  t.notOk(accepts({ table: 'millrace_target' }))
  t.notOk(accepts({ columns: { doc: 'x' } }))
  t.notOk(accepts({ columns: { total: "a'b" } }))
  t.notOk(accepts({ search: ['a.b', 'a_b'] }), 'two fields of one column')
  t.notOk(accepts({ search: ['rank'] }))
  t.notOk(accepts({ id: 'order' }))
  t.notOk(accepts({ serach: ['a'] }))
})

type Wanted = Partial<SqliteOptions> & { readonly path: string }

function open(wanted: Wanted, place: { name?: string; partition?: number } = {}): Sink<LogRecord> {
  const context = { pipeline: 'shop', name: 'search', topic: 'shop.orders', partition: 0 }
  return sqlite.open(options.parse({ type: 'sqlite', ...wanted }), {
    ...context,
    ...place,
    say: () => {},
  })
}

async function started(t: Test, wanted: Partial<SqliteOptions> = {}) {
  const path = join(t.testdir(), 'shop.db')
  const sink = open({ path, ...wanted })
  t.teardown(() => sink.close())
  await sink.resume('orders')
  const found = (query: string) => {
    const join = 'FROM orders_search s JOIN orders o ON o.rowid = s.rowid'
    const text = `SELECT id ${join} WHERE orders_search MATCH '${query}' ORDER BY id`
    return ask(path, text).map(({ id }) => id)
  }
  return { sink, path, found }
}

async function apply(sink: Sink<LogRecord>, records: readonly LogRecord[], position = 'here') {
  const outcomes = await sink.write(batch(records))
  await sink.commit({ source: 'orders', position: position as Position, timestamp: 1 })
  return outcomes
}

/** What another process sees. */
function ask(path: string, text: string): Record<string, unknown>[] {
  const reader = new DatabaseSync(path)
  try {
    return reader.prepare(text).all()
  } finally {
    reader.close()
  }
}

function findings(path: string) {
  return collect(sqlite.check(options.parse({ type: 'sqlite', path })))
}
