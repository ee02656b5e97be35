import { setTimeout as sleep } from 'node:timers/promises'
import { type Test, test } from 'tap'
import type { PostgresOptions } from '../../../../connectors/postgres/options.ts'
import { decodeDocument } from '../../../../src/core/document.ts'
import {
  type LogRecord,
  type NewRecord,
  rowHeader,
  unchangedHeader,
} from '../../../../src/core/record.ts'
import { type TestDatabase, usePostgres } from '../../../support/servers/use.ts'
import { brings, openSource, read, textOf } from '../reading.ts'

type Input = Partial<Record<keyof PostgresOptions, unknown>>

/** Some rows before the start, some changes after it: the records of both. */
async function records(
  { query, ...database }: TestDatabase,
  { tables, options }: { readonly tables: readonly string[]; readonly options: Input },
  changes: readonly string[],
): Promise<readonly NewRecord[]> {
  await query('CREATE TABLE last (note text)')
  const all = ['public.last', ...tables]
  const source = openSource({ query, ...database }, all, { options: { ...options } as never })
  const change = async () => {
    while (source.status().phase !== 'streaming') await sleep(10)
    for (const sql of changes) await query(sql)
    await query("INSERT INTO last VALUES ('the end')")
  }
  const [{ records }] = await Promise.all([read(source, undefined, brings('the end')), change()])
  return records.filter(({ topic }) => topic !== 'db.public.last')
}

const shown = ({ topic, key, value }: NewRecord) => [topic, textOf(key), value && textOf(value)]

/** What a sink that keeps documents makes of a record. */
function documentOf(record: NewRecord) {
  const document = decodeDocument(record as LogRecord)
  if (typeof document === 'string' || !('id' in document)) return document
  return [document.id, document.body && textOf(document.body)]
}

const keyed = 'CREATE TABLE a (id int PRIMARY KEY, note text)'

async function unwrapped(t: Test, mode: string) {
  const database = await usePostgres(t)
  await database.query(`${keyed}; INSERT INTO a VALUES (1, 'read')`)
  const unwrap = { tables: '.*', 'delete.tombstone.handling.mode': mode }
  return await records(database, { tables: ['public.a'], options: { unwrap } }, [
    "BEGIN; INSERT INTO a VALUES (2, 'made'); UPDATE a SET note = 'new' WHERE id = 1; COMMIT",
    'UPDATE a SET id = 3 WHERE id = 2',
    'BEGIN; DELETE FROM a WHERE id = 1; COMMIT',
  ])
}

test('unwrapped, a value is the row, and a delete a tombstone', async (t) => {
  const all = await unwrapped(t, 'tombstone')
  t.strictSame(all.map(shown), [
    ['db.public.a', '{"id":1}', '{"id":1,"note":"read"}'],
    ['db.public.a', '{"id":2}', '{"id":2,"note":"made"}'],
    ['db.public.a', '{"id":1}', '{"id":1,"note":"new"}'],
    ['db.public.a', '{"id":2}', null],
    ['db.public.a', '{"id":3}', '{"id":3,"note":"made"}'],
    ['db.public.a', '{"id":1}', null],
  ])
  t.strictSame(
    all.map(({ endsCommit }) => endsCommit),
    [true, false, true, false, true, true],
  )
  t.strictSame(all.map(documentOf), [
    ['1', '{"id":1,"note":"read"}'],
    ['2', '{"id":2,"note":"made"}'],
    ['1', '{"id":1,"note":"new"}'],
    ['2', null],
    ['3', '{"id":3,"note":"made"}'],
    ['1', null],
  ])
})

test('rewritten, every row tells whether it is deleted', async (t) => {
  const all = await unwrapped(t, 'rewrite')
  t.strictSame(
    all.map((record) => shown(record)[2]),
    [
      '{"id":1,"note":"read","__deleted":"false"}',
      '{"id":2,"note":"made","__deleted":"false"}',
      '{"id":1,"note":"new","__deleted":"false"}',
      '{"id":2,"__deleted":"true"}',
      '{"id":3,"note":"made","__deleted":"false"}',
      '{"id":1,"__deleted":"true"}',
    ],
  )
  t.equal(all.at(-1)!.schema!.columns.at(-1)!.name, '__deleted')
})

test('dropped, deletes leave no record', async (t) => {
  const all = await unwrapped(t, 'drop')
  t.strictSame(
    all.map((record) => shown(record)[1]),
    ['{"id":1}', '{"id":2}', '{"id":1}', '{"id":3}'],
  )
})

test('topics and columns are renamed, in rows, keys and schemas', async (t) => {
  const database = await usePostgres(t)
  await database.query(`${keyed}; INSERT INTO a VALUES (1, 'read')`)
  const rename = {
    topics: { 'public.a': 'letters' },
    columns: { 'public.a.id': 'number', 'public.a.note': 'said' },
  }
  const options = { rename, unwrap: { tables: 'public.a' } }
  const [first, second] = await records(database, { tables: ['public.a'], options }, [
    "INSERT INTO a VALUES (2, 'made')",
  ])
  t.strictSame(shown(first!), ['letters', '{"number":1}', '{"number":1,"said":"read"}'])
  t.strictSame(shown(second!), ['letters', '{"number":2}', '{"number":2,"said":"made"}'])
  t.match(second!.schema!.columns, [
    { name: 'number', key: true },
    { name: 'said', key: false },
  ])
})

test('tables that are routed into one topic share no key', async (t) => {
  const database = await usePostgres(t)
  await database.query(`
    CREATE TABLE part_1 (id int PRIMARY KEY); CREATE TABLE part_2 (id int PRIMARY KEY);
    INSERT INTO part_1 VALUES (1); INSERT INTO part_2 VALUES (1)`)
  const route = [
    {
      'topic.regex': String.raw`db\.public\.part_(\d)`,
      'topic.replacement': 'parts',
      'key.field.regex': String.raw`db\.public\.part_(\d)`,
      'key.field.replacement': 'p$1',
    },
  ]
  const tables = ['public.part_1', 'public.part_2']
  const all = await records(database, { tables, options: { route } }, ['DELETE FROM part_2'])
  const field = '__dbz__physicalTableIdentifier'
  t.strictSame(
    all.map(({ topic, key }) => [topic, textOf(key)]),
    [
      ['parts', `{"id":1,"${field}":"p1"}`],
      ['parts', `{"id":1,"${field}":"p2"}`],
      ['parts', `{"id":1,"${field}":"p2"}`],
      ['parts', `{"id":1,"${field}":"p2"}`],
    ],
  )
})

test('a snapshot beside the stream is transformed, too, and so are rows with holes', async (t) => {
  const database = await usePostgres(t)
  await database.query(`
    CREATE TABLE a (id int PRIMARY KEY, note text, large text);
    ALTER TABLE a ALTER large SET STORAGE EXTERNAL;
    INSERT INTO a VALUES (1, 'first', repeat('l', 9000))`)
  const options = {
    unwrap: { tables: '.*' },
    rename: { columns: { 'public.a.large': 'big' } },
  } as never
  const source = openSource(database, ['public.a'], { options })
  const change = async () => {
    while (source.status().phase !== 'streaming') await sleep(10)
    await database.query("UPDATE a SET note = 'second'")
    source.snapshot({ do: 'execute', requests: [{ table: 'public.a' }] })
  }
  const isRead = ({ records }: { readonly records: readonly NewRecord[] }) =>
    records.filter(({ headers }) => headers?.[rowHeader] === 'r').length === 2
  const [{ records }] = await Promise.all([read(source, undefined, isRead), change()])
  const rows = records.filter(({ headers }) => headers?.[rowHeader] !== undefined)
  const large = 'l'.repeat(9000)
  t.strictSame(
    rows.map(({ value, headers }) => [headers![rowHeader], textOf(value)]),
    [
      ['r', `{"id":1,"note":"first","big":"${large}"}`],
      ['u', '{"id":1,"note":"second"}'],
      ['r', `{"id":1,"note":"second","big":"${large}"}`],
    ],
  )
  t.equal(rows[1]!.headers![unchangedHeader], '["big"]')
})
