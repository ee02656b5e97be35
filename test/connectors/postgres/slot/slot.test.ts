import { type Test, test } from 'tap'
import { connect } from '../../../../connectors/postgres/session.ts'
import { dropSlot } from '../../../../connectors/postgres/slot/slot.ts'
import type { Position } from '../../../../src/core/source.ts'
import { type TestDatabase, usePostgres } from '../../../support/servers/use.ts'
import { brings, openSource, read, snapshotEnds } from '../reading.ts'

test('a slot that was dropped, advanced or made again is told, each with its code', async (t) => {
  const { database, position } = await snapshotted(t)
  const { query, database: slot } = database
  await query('insert into a values (2)')
  await query(`select pg_replication_slot_advance('${slot}', pg_current_wal_lsn())`)
  await refuses(t, database, position, 'POSITION_GAP', /somebody else read or advanced it/)
  await query(`select pg_drop_replication_slot('${slot}')`)
  await refuses(t, database, position, 'SLOT_LOST', /does not exist any more/)
  await query(`select pg_create_logical_replication_slot('${slot}', 'pgoutput')`)
  await refuses(t, database, position, 'POSITION_GAP', /dropped it and made it again/)
})

test('a slot of another plugin is not read', async (t) => {
  const { database, position } = await snapshotted(t)
  const { query, database: slot } = database
  await query(`select pg_drop_replication_slot('${slot}')`)
  await query(`select pg_create_physical_replication_slot('${slot}')`)
  t.teardown(() => query(`select pg_drop_replication_slot('${slot}')`))
  await refuses(t, database, position, 'TARGET_MISCONFIGURED', /is physical; it must be logical/)
})

test('a slot that somebody reads is told with who does', async (t) => {
  const { database, position } = await snapshotted(t)
  const other = await connect(database.url, true)
  t.teardown(() => other.end())
  const slot = database.database
  other
    .query(
      `START_REPLICATION SLOT ${slot} LOGICAL 0/0 (proto_version '1', publication_names '${slot}')`,
    )
    .catch(() => {})
  const text = 'select active from pg_replication_slots where slot_name = $1 and active'
  while ((await database.query(text, [slot])).length === 0);
  const source = openSource(database, ['public.a'])
  const reading = source.read(position, new AbortController().signal)
  await t.rejects(reading[Symbol.asyncIterator]().next(), {
    ...{ code: 'SLOT_IN_USE', message: /is read by server process \d+ \(millrace at 127\.0\.0\.1/ },
  })
})

test('a slot that lost its WAL is told with the reason', async (t) => {
  const settings = { max_slot_wal_keep_size: '1MB', max_wal_size: '32MB', min_wal_size: '32MB' }
  const { database, position } = await snapshotted(t, { settings })
  for (let i = 0; i < 5; i++) {
    await database.query("select pg_logical_emit_message(true, 'x', repeat('y', 1000000))")
    await database.query('select pg_switch_wal()')
  }
  await database.query('checkpoint')
  await refuses(t, database, position, 'SLOT_LOST', /is invalid: .*max_slot_wal_keep_size/)
})

test('what is no longer published is a gap: its changes were never sent', async (t) => {
  const { database, position } = await snapshotted(t)
  const { query, database: publication } = database
  await query(`alter publication "${publication}" drop table a`)
  await refuses(t, database, position, 'POSITION_GAP', /lacks public\.a, which it had/)
  await query(`drop publication "${publication}"`)
  await refuses(t, database, position, 'POSITION_GAP', /publication .* does not exist any more/)
})

test('a publication that is dropped while it is read is a gap, even if it is made again', async (t) => {
  for (const drop of ['drop publication P', 'alter publication P drop table a']) {
    const { database, position } = await snapshotted(t)
    const name = `"${database.database}"`
    const source = openSource(database, ['public.a'])
    const stop = new AbortController()
    t.teardown(() => stop.abort())
    // Idle batches may come before: others write to the server, too.
    const read = async () => {
      for await (const _ of source.read(position, stop.signal));
    }
    const next = read()
    next.catch(() => {})
    while (source.status().phase !== 'streaming') await new Promise((done) => setTimeout(done, 10))
    await database.query(`${drop.replace('P', name)}; insert into a values (2)`)
    const again = drop.startsWith('drop') ? 'create publication P for' : 'alter publication P add'
    await database.query(`${again.replace('P', name)} table a`)
    await t.rejects(next, { code: 'POSITION_GAP', message: /dropped while changes were streamed/ })
  }
})

test('a server with another history is another database', async (t) => {
  const { database, position } = await snapshotted(t)
  const elsewhere = JSON.stringify({ ...JSON.parse(position), systemId: '1' }) as Position
  await refuses(t, database, elsewhere, 'OTHER_DATABASE', /system identifier \d+, but 1 was read/)
  const later = JSON.stringify({ ...JSON.parse(position), timeline: 9 }) as Position
  await refuses(t, database, later, 'SERVER_ROLLED_BACK', /does not descend from timeline 9/)
  const ahead = JSON.stringify({ ...JSON.parse(position), idle: 'FFFFFF/0' }) as Position
  await refuses(t, database, ahead, 'SERVER_ROLLED_BACK', /WAL ends at/)
})

test('another slot name is gone on with if that slot was copied', async (t) => {
  const { database, position } = await snapshotted(t)
  const { query, database: slot } = database
  const options = { 'slot.name': `${slot}_copy` }
  await t.rejects(
    read(openSource(database, ['public.a'], { options }), position, () => true),
    { code: 'TARGET_MISCONFIGURED', message: /no slot .*_copy; so far .*pg_copy_logical/ },
  )
  await query(`select pg_copy_logical_replication_slot('${slot}', '${slot}_copy')`)
  await query(`select pg_drop_replication_slot('${slot}'); insert into a values (2)`)
  const copied = openSource(database, ['public.a'], {
    options: { ...options, 'publication.name': slot },
  })
  const after = await read(copied, position, brings('"id":2'))
  t.equal(JSON.parse(after.position!).slot, `${slot}_copy`)
})

test('failover: standbys are told to keep the slot, a new one and one that is there', async (t) => {
  const { database, position } = await snapshotted(t)
  if (!(await hasFailover(database))) return
  const text = 'select failover from pg_replication_slots where slot_name = $1'
  t.strictSame(await database.query(text, [database.database]), [{ failover: false }])
  const options = { 'slot.failover': true }
  await database.query('insert into a values (2)')
  await read(openSource(database, ['public.a'], { options }), position, brings('"id":2'))
  t.strictSame(await database.query(text, [database.database]), [{ failover: true }])
  const slot = `${database.database}_new`
  const fresh = openSource(database, ['public.a'], { options: { ...options, 'slot.name': slot } })
  await read(fresh, undefined, snapshotEnds)
  t.strictSame(await database.query(text, [slot]), [{ failover: true }])
})

test('a stop drops the slot if it is to; a failure elsewhere does not', async (t) => {
  const { database, position } = await snapshotted(t)
  const text = 'select slot_name from pg_replication_slots where slot_name = $1'
  const end = async (reason: string | undefined) => {
    const source = openSource(database, ['public.a'], { options: { 'slot.drop.on.stop': true } })
    const stop = new AbortController()
    const reading = source.read(position, stop.signal)[Symbol.asyncIterator]()
    const next = reading.next()
    while (source.status().phase !== 'streaming') await new Promise((done) => setTimeout(done, 10))
    stop.abort(reason)
    await next
    await reading.return?.(undefined)
    return (await database.query(text, [database.database])).length
  }
  t.equal(await end(undefined), 1)
  const sql = 'select from pg_replication_slots where active and slot_name = $1'
  while ((await database.query(sql, [database.database])).length > 0);
  t.equal(await end('stop'), 0)
})

test('a slot is dropped once its last reader has gone', async (t) => {
  const { database } = await snapshotted(t)
  const replication = await connect(database.url, true)
  await dropSlot(replication, database.database)
  await replication.end()
  const text = 'select from pg_replication_slots where slot_name = $1'
  t.equal((await database.query(text, [database.database])).length, 0)
})

async function hasFailover({ query }: TestDatabase): Promise<boolean> {
  const [row] = await query<{ version: number }>(
    "select current_setting('server_version_num')::int as version",
  )
  return row!.version >= 170000
}

/** A database with a table whose snapshot is over. */
async function snapshotted(t: Test, options?: Parameters<typeof usePostgres>[1]) {
  const database = await usePostgres(t, options)
  await database.query('create table a (id int primary key); insert into a values (1)')
  const source = openSource(database, ['public.a'])
  const { position } = await read(source, undefined, snapshotEnds)
  return { database, position: position! }
}

/** Whoever has just stopped reading holds the slot for a moment: `read` waits for that. */
async function refuses(
  t: Test,
  database: TestDatabase,
  position: Position,
  ...[code, message]: [code: string, message: RegExp]
): Promise<void> {
  const reading = read(openSource(database, ['public.a']), position, () => true)
  await t.rejects(reading, { code, message }, code)
}
