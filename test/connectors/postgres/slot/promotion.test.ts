import { chown, cp, mkdir, readdir, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Test, test } from 'tap'
import { parseLsn } from '../../../../connectors/postgres/wal/lsn.ts'
import type { Position } from '../../../../src/core/source.ts'
import { type PostgresServer, startPostgres } from '../../../support/servers/postgres.ts'
import { sqlClient } from '../../../support/servers/sql.ts'
import { type TestDatabase, usePostgres } from '../../../support/servers/use.ts'
import { brings, openSource, read, snapshotEnds } from '../reading.ts'

const options = { 'slot.failover': true }

test('a promoted standby is read on, from where its primary was read to', async (t) => {
  const { primary, promoted } = await startPair(t)
  await primary.query('create table a (id int primary key); insert into a values (1)')
  const copied = await read(openSource(primary, ['public.a'], { options }), undefined, snapshotEnds)
  await primary.query('insert into a values (2)')
  const source = openSource(primary, ['public.a'], { options })
  const before = await read(source, copied.position, brings('"id":2'))
  const position = await untilSynced(primary, promoted, before.position!)
  await primary.server!.kill()
  await promoted.query('select pg_promote()')
  await promoted.query('insert into a values (3)')
  const after = await read(
    openSource(promoted, ['public.a'], { options }),
    position,
    brings('"id":3'),
  )
  t.strictSame(
    after.records.map(({ key }) => String(key)),
    ['{"id":3}'],
    'nothing twice, nothing lost',
  )
  t.equal(JSON.parse(position).timeline, 1)
  t.equal(JSON.parse(after.position!).timeline, 2)
  const older = BigInt(JSON.parse(position).lastVersion)
  t.ok(after.records[0]!.version > older, 'versions go on')

  // Whoever comes back to the old primary now would read another history.
  await primary.server!.restart()
  await t.rejects(
    read(openSource(primary, ['public.a'], { options }), after.position, () => true),
    { code: 'SERVER_ROLLED_BACK', message: /does not descend from timeline 2/ },
  )
})

test('a promoted standby without the slot is told so, with the way out', async (t) => {
  const { primary, promoted } = await startPair(t)
  await primary.query('create table a (id int primary key); insert into a values (1)')
  const copied = await read(openSource(primary, ['public.a']), undefined, snapshotEnds)
  await untilReplayed(primary, promoted)
  await primary.server!.kill()
  await promoted.query('select pg_promote()')
  await t.rejects(
    read(openSource(promoted, ['public.a']), copied.position, () => true),
    { code: 'SLOT_LOST', message: /promoted meanwhile.*slot\.failover: true/ },
  )
})

/** A primary with a physical standby, made of a copy of its files. */
async function startPair(t: Test) {
  const primary = await usePostgres(t, { settings: { wal_sender_timeout: '5s' } })
  const server = primary.server!
  await primary.query("select pg_create_physical_replication_slot('standby')")
  await server.kill()
  const dir = `${server.dir}-standby`
  await mkdir(dir)
  const owner = await stat(server.dir)
  await chown(dir, owner.uid, owner.gid)
  await cp(join(server.dir, 'data'), join(dir, 'data'), {
    recursive: true,
    preserveTimestamps: true,
  })
  const data = join(dir, 'data')
  await rm(join(data, 'postmaster.pid'), { force: true })
  await rm(join(data, 'pg_replslot'), { recursive: true })
  await mkdir(join(data, 'pg_replslot'), { mode: 0o700 })
  await writeFile(join(data, 'standby.signal'), '')
  await own(data, owner)
  await server.restart()
  const settings = {
    primary_conninfo: `host=127.0.0.1 port=${server.port} user=postgres password=postgres dbname=postgres`,
    primary_slot_name: 'standby',
    hot_standby_feedback: 'on',
    max_connections: '200',
  }
  const standby = await startPostgres({ dir, settings })
  t.teardown(() => standby.stop())
  return { primary, promoted: await databaseOf(t, standby, primary.database) }
}

async function own(path: string, { uid, gid }: { uid: number; gid: number }): Promise<void> {
  for (const entry of await readdir(path, { recursive: true })) {
    await chown(join(path, entry), uid, gid)
  }
  await chown(path, uid, gid)
}

async function databaseOf(
  t: Test,
  server: PostgresServer,
  database: string,
): Promise<TestDatabase> {
  const url = new URL(`/${database}`, server.url).href
  const client = sqlClient(url)
  t.teardown(() => client.end())
  return { url, database, adminUrl: server.url, query: client.query, server }
}

async function untilReplayed(primary: TestDatabase, standby: TestDatabase): Promise<void> {
  const [row] = await primary.query<{ lsn: string }>('select pg_current_wal_flush_lsn() as lsn')
  const text = 'select pg_last_wal_replay_lsn() >= $1::pg_lsn as there'
  for (;;) {
    const [replayed] = await standby.query<{ there: boolean }>(text, [row!.lsn])
    if (replayed!.there) return
    await sleep(20)
  }
}

/**
 * A slot is kept for good once it has come so far that the standby has all that it needs: past a
 * moment at which no transaction ran. Idle advances bring it there.
 */
async function untilSynced(
  primary: TestDatabase,
  standby: TestDatabase,
  from: Position,
): Promise<Position> {
  const text = 'select from pg_replication_slots where slot_name = $1 and synced and not temporary'
  let position = from
  for (;;) {
    position = await idleAdvance(primary, position)
    await untilReplayed(primary, standby)
    await standby.query('select pg_sync_replication_slots()')
    if ((await standby.query(text, [primary.database])).length > 0) return position
  }
}

/** So much WAL that an idle source writes down how far it has seen it at once. */
async function idleAdvance(primary: TestDatabase, from: Position): Promise<Position> {
  await primary.query('select pg_log_standby_snapshot()')
  await primary.query("select pg_logical_emit_message(false, 'millrace.x', repeat('x', 17000000))")
  const [row] = await primary.query<{ lsn: string }>('select pg_log_standby_snapshot() as lsn')
  const source = openSource(primary, ['public.a'], { options })
  const { position } = await read(source, from, ({ position }) => {
    const { idle = '0/0' } = JSON.parse(position!)
    return parseLsn(idle) >= parseLsn(row!.lsn)
  })
  return position!
}
