import { setTimeout as sleep } from 'node:timers/promises'
import { test } from 'tap'
import { postgresOptions } from '../../../../connectors/postgres/options.ts'
import type { NewRecord } from '../../../../src/core/record.ts'
import { type TestDatabase, usePostgres } from '../../../support/servers/use.ts'
import { brings, openSource, read, textOf } from '../reading.ts'

const schema = `
  CREATE TABLE last (note text);
  CREATE TABLE outbox (id uuid PRIMARY KEY, aggregatetype text NOT NULL, aggregateid text NOT NULL,
    type text, payload jsonb, said_at timestamptz, body text)`

const id = (n: number) => `00000000-0000-0000-0000-00000000000${n}`

async function events(
  database: TestDatabase,
  outbox: Readonly<Record<string, unknown>>,
  changes: readonly string[],
): Promise<readonly NewRecord[]> {
  const options = { outbox } as never
  const source = openSource(database, ['public.outbox', 'public.last'], { options })
  const change = async () => {
    while (source.status().phase !== 'streaming') await sleep(10)
    for (const sql of changes) await database.query(sql)
    await database.query("INSERT INTO last VALUES ('the end')")
  }
  const [{ records }] = await Promise.all([read(source, undefined, brings('the end')), change()])
  return records.filter(({ topic }) => topic !== 'db.public.last')
}

const told = ({ topic, key, value, headers, endsCommit }: NewRecord) => {
  const { id, 'millrace.row': _, ...rest } = headers ?? {}
  const shown = value === null ? null : textOf(value)
  return { topic, key: textOf(key), value: shown, id, ...rest, endsCommit }
}

test('inserts into the outbox are events in the topics of their aggregates', async (t) => {
  const database = await usePostgres(t)
  await database.query(schema)
  await database.query(
    `INSERT INTO outbox VALUES ('${id(1)}', 'order', '10', 'made', '{"n":1.50}')`,
  )
  const records = await events(
    database,
    {
      table: 'public.outbox',
      'table.fields.additional.placement': 'type:header:eventType',
      'table.field.event.timestamp': 'said_at',
    },
    [
      `BEGIN;
       INSERT INTO outbox VALUES ('${id(2)}', 'order', '10', 'paid', '[1,2]', '2020-01-02T03:04:05Z');
       INSERT INTO outbox VALUES ('${id(3)}', 'cust omer', '7', NULL, NULL);
       DELETE FROM outbox;
       COMMIT`,
    ],
  )
  t.strictSame(records.map(told), [
    {
      ...{ topic: 'outbox.event.order', key: '"10"', value: '{"n": 1.50}', id: id(1) },
      ...{ eventType: 'made', endsCommit: true },
    },
    {
      ...{ topic: 'outbox.event.order', key: '"10"', value: '[1, 2]', id: id(2) },
      ...{ eventType: 'paid', endsCommit: true },
    },
    { topic: 'outbox.event.cust_omer', key: '"7"', value: 'null', id: id(3), endsCommit: true },
  ])
  t.equal(records[1]!.timestamp, Date.parse('2020-01-02T03:04:05Z'))
})

test('columns, topics and the form of the payload are options', async (t) => {
  const database = await usePostgres(t)
  await database.query(schema)
  const records = await events(
    database,
    {
      table: 'public.outbox',
      'table.field.event.key': 'type',
      'table.field.event.payload': 'body',
      'table.expand.json.payload': true,
      'table.fields.additional.placement': 'aggregateid:envelope:of',
      'route.topic.regex': '(?<routedByValue>[a-z]+)-.*',
      'route.topic.replacement': 'events.$' + '{routedByValue}',
    },
    [
      `INSERT INTO outbox (id, aggregatetype, aggregateid, type, body)
       VALUES ('${id(1)}', 'order-v1', '10', 'k', '{"a":null}'), ('${id(2)}', 'order-v2', '11', 'k', 'no JSON')`,
    ],
  )
  t.match(records.map(told), [
    { topic: 'events.order', key: '"k"', value: '{"payload":{"a":null},"of":"10"}' },
    { topic: 'events.order', key: '"k"', value: '{"payload":"no JSON","of":"11"}' },
  ])
})

test('text is the value as it is, and an empty payload a tombstone where that is asked for', async (t) => {
  const database = await usePostgres(t)
  await database.query(schema)
  const records = await events(
    database,
    {
      ...{ table: 'public.outbox', 'table.field.event.payload': 'body' },
      'route.tombstone.on.empty.payload': true,
    },
    [
      `INSERT INTO outbox (id, aggregatetype, aggregateid, body)
       VALUES ('${id(1)}', 'o', '1', 'say "hi"'), ('${id(2)}', 'o', '1', NULL)`,
    ],
  )
  t.strictSame(
    records.map(told).map(({ value }) => value),
    ['say "hi"', null],
  )
})

test('an update of the outbox is left out, or stops the connector', async (t) => {
  const database = await usePostgres(t)
  await database.query(schema)
  const make = `INSERT INTO outbox VALUES ('${id(1)}', 'order', '10', 'made', '1')`
  const change = `UPDATE outbox SET type = 'other'`
  t.equal((await events(database, { table: 'public.outbox' }, [make, change])).length, 1)
  const fatal = { table: 'public.outbox', 'table.op.invalid.behavior': 'fatal' }
  const options = { outbox: fatal, 'slot.name': `${database.database}_2` } as never
  const source = openSource(database, ['public.outbox', 'public.last'], { options })
  const changing = (async () => {
    while (source.status().phase !== 'streaming') await sleep(10)
    await database.query("UPDATE outbox SET type = 'again'")
  })()
  await t.rejects(read(source, undefined, brings('never')), { code: 'OUTBOX_MISUSED' })
  await changing
})

test('logical messages are events without any table', async (t) => {
  const database = await usePostgres(t)
  await database.query(schema)
  const emit = (content: string, transactional = true) =>
    `SELECT pg_logical_emit_message(${transactional}, 'outbox', '${content}')`
  const records = await events(
    database,
    { 'message.prefix': 'outbox', 'table.fields.additional.placement': 'type:header:eventType' },
    [
      `BEGIN; ${emit('{"id":"e1","aggregatetype":"order","aggregateid":10,"type":"made","payload":{"n":1.50}}')};
       ${emit('{"aggregatetype":"order","aggregateid":"x","payload":"text"}')}; COMMIT`,
      emit('no JSON'),
      "SELECT pg_logical_emit_message(true, 'other', 'stays a message')",
    ],
  )
  t.match(records.map(told), [
    { topic: 'outbox.event.order', key: '10', value: '{"n":1.50}', id: 'e1', eventType: 'made' },
    { topic: 'outbox.event.order', key: '"x"', value: '"text"', id: /^\d+$/, endsCommit: true },
    { topic: 'db.message' },
  ])
  t.equal(records.length, 3)
})

test('an outbox that nothing would reach is a fault of the configuration', async (t) => {
  const parse = (outbox: object) =>
    postgresOptions.safeParse({ url: 'postgres://x', tables: ['public.a'], outbox })
  t.match(parse({ table: 'public.outbox' }).error?.issues, [
    { path: ['outbox', 'table'], message: /must be among the tables that are read/ },
  ])
  t.match(parse({}).error?.issues, [{ message: /`table` or a `message.prefix`/ }])
  t.match(parse({ table: 'public.a', 'table.fields.additional.placement': 'x:partition' }), {
    error: { issues: [{ message: /column:header:name/ }] },
  })
  t.ok(
    parse({ table: 'public.a', 'table.fields.additional.placement': 'x:header,y:envelope:z' })
      .success,
  )
})
