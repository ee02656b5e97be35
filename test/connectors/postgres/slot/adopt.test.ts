import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'
import { startOf } from '../../../../connectors/postgres/slot/adopt.ts'
import { parseOffset } from '../../../../connectors/postgres/slot/adopt-offset.ts'
import { parseLsn } from '../../../../connectors/postgres/wal/lsn.ts'
import { type TestDatabase, usePostgres } from '../../../support/servers/use.ts'
import { openSource, read } from '../reading.ts'

test('the end of the last commit is what an offset is for', (t) => {
  const offset =
    '{"lsn_proc":27140808,"messageType":"INSERT","lsn_commit":27140760,"lsn":27140808,"txId":753,"ts_usec":1700000000000000}'
  t.equal(parseOffset(offset), 27140760n)
  t.equal(parseOffset(`\u00ac\u00ed\u0000["c",{"server":"s"}]t\u0000\u0080${offset}x`), 27140760n)
  t.equal(parseOffset('{"lsn_commit":9007199254740993,"lsn":1}'), 9007199254740993n, 'every digit')
  t.equal(parseOffset('{"lsn_commit":"0/19E1F98"}'), 0x19e1f98n)
  t.equal(parseOffset('{"lsn":5,"lsn_commit":null}'), undefined, 'no commit yet')
  t.equal(parseOffset('{"lsn":5,"snapshot":true,"last_snapshot_record":true}'), undefined)
  t.end()
})

test('an offset that cannot be trusted is refused with the reason', (t) => {
  const refused = (text: string, message: RegExp) =>
    t.throws(() => parseOffset(text), { code: 'CONFIG_INVALID', message })
  refused('{}', /holds no offset/)
  refused('{"lsn":1}{"lsn":2}', /holds 2 offsets/)
  refused('{"lsn":1,"snapshot":true,"last_snapshot_record":false}', /snapshot was under way/)
  refused('{"lsn":1,"snapshot":"INITIAL"}', /snapshot was under way/)
  refused('{"lsn_commit":"soon"}', /is no LSN/)
  t.end()
})

test('where a takeover begins', (t) => {
  const places = { slot: 's', confirmed: 100n, read: 150n, walEnd: 200n }
  t.equal(startOf(places), 150n)
  t.throws(() => startOf({ ...places, read: 99n }), { code: 'POSITION_GAP' })
  t.throws(() => startOf({ ...places, read: 201n }), { code: 'SERVER_ROLLED_BACK' })
  t.end()
})

test('a slot is taken over without a snapshot, and loses nothing that it held', async (t) => {
  const database = await prepared(t)
  await database.query('insert into a values (2), (3)')
  const adopting = { 'slot.adopt': true, 'publication.name': 'theirs' }
  const source = openSource(database, ['public.a'], { options: adopting })
  const { records, position } = await read(source, undefined, ({ records }) => records.length >= 2)
  t.strictSame(
    records.map(({ value }) => JSON.parse(String(value))).map(({ op, after }) => [op, after.id]),
    [
      ['c', 2],
      ['c', 3],
    ],
  )
  await database.query('insert into a values (4)')
  const again = openSource(database, ['public.a'], { options: adopting })
  const more = await read(again, position, ({ records }) => records.length >= 1)
  t.match(String(more.records[0]!.value), /"after":\{"id":4\}/)
})

test('with an offset of Debezium, what it had read is not read again', async (t) => {
  const database = await prepared(t)
  await database.query('insert into a values (2)')
  const [row] = await database.query<{ lsn: string }>('select pg_current_wal_lsn() as lsn')
  await database.query('insert into a values (3)')
  const offset = `{"lsn_proc":1,"lsn_commit":${parseLsn(row!.lsn)},"lsn":1,"txId":1}`
  const file = join(t.testdir({}), 'offsets.dat')
  writeFileSync(file, `\u00ac\u00ed sr HashMap ${offset}`)
  const adopting = { 'slot.adopt': true, 'publication.name': 'theirs', 'slot.adopt.offset': file }
  const source = openSource(database, ['public.a'], { options: adopting })
  const { records } = await read(source, undefined, ({ records }) => records.length >= 1)
  t.match(String(records[0]!.value), /"after":\{"id":3\}/)
})

test('a takeover that would lose something is refused', async (t) => {
  const database = await prepared(t)
  const refused = async (options: object, code: string, message: RegExp) => {
    const adopting = { 'slot.adopt': true, 'publication.name': 'theirs', ...options }
    const source = openSource(database, ['public.a'], { options: adopting })
    await t.rejects(
      read(source, undefined, () => true),
      { code, message },
    )
  }
  await refused(
    { 'slot.name': 'none' },
    'TARGET_MISCONFIGURED',
    /no replication slot none to adopt/,
  )
  await refused(
    { 'slot.adopt.offset': '{"lsn_commit":1}' },
    'POSITION_GAP',
    /leave out slot\.adopt/,
  )
  await refused({ 'slot.adopt.offset': 'no-such-file' }, 'CONFIG_INVALID', /no-such-file/)
  await database.query('alter publication theirs drop table a')
  await refused({}, 'TARGET_MISCONFIGURED', /lacks public\.a.*Run: ALTER PUBLICATION/)
})

/** A table with a row, and the publication and the slot that somebody else has made. */
async function prepared(t: Parameters<typeof usePostgres>[0]): Promise<TestDatabase> {
  const database = await usePostgres(t)
  await database.query(`
    create table a (id int primary key);
    insert into a values (1);
    create publication theirs for table a`)
  const slot = database.database
  await database.query(`select pg_create_logical_replication_slot('${slot}', 'pgoutput')`)
  return database
}
