import { createServer, connect as dial } from 'node:net'
import { type Test, test } from 'tap'
import { check } from '../../../connectors/postgres/check.ts'
import { type Managed, walLevelHints } from '../../../connectors/postgres/checks/managed.ts'
import { judgeServer, type ServerFacts } from '../../../connectors/postgres/checks/server.ts'
import { judgeState } from '../../../connectors/postgres/checks/slot.ts'
import { postgresOptions } from '../../../connectors/postgres/options.ts'
import type { Finding } from '../../../src/core/plugin.ts'
import { collect } from '../../support/collect.ts'
import { type TestDatabase, usePostgres } from '../../support/servers/use.ts'

test('a database that is in order: no error, and every fact is told', async (t) => {
  const database = await usePostgres(t)
  await database.query('create table orders (id int primary key, total numeric)')
  const found = await findingsOf(database, ['public.orders'])
  t.strictSame(errorsOf(found), [])
  for (const what of [
    /^PostgreSQL \d+/,
    /wal_level is logical/,
    /of \d+ replication slots are in use/,
    /of \d+ WAL senders are in use/,
    /max_slot_wal_keep_size is unlimited/,
    /role postgres may replicate/,
    /public\.orders has the primary key \(id\)/,
    /publication millrace_shop_db is made at the first start/,
    /slot millrace_shop_db is made at the first start/,
  ]) {
    t.ok(matching(found, what), String(what))
  }
  t.equal((await database.query('select from pg_publication')).length, 0, 'nothing was changed')
})

test('what makes UPDATE and DELETE fail is found, and the SQL repairs it', async (t) => {
  const database = await usePostgres(t)
  await database.query(`
    create table bare (v int);
    create table indexed (a int not null, b int);
    create unique index indexed_a on indexed (a);
    create table "No Thing" (id int primary key);
    alter table "No Thing" replica identity nothing;
    create table deferred (id int primary key deferrable);
    create table parts (id int, at date) partition by range (at);
    create table parts_1 partition of parts for values from ('2020-01-01') to ('2021-01-01');`)
  const tables = ['bare', 'indexed', 'No Thing', 'deferred', 'parts'].map(
    (name) => `public.${name}`,
  )
  const found = await findingsOf(database, tables)
  const repairs = found.flatMap(({ repair = [] }) => repair)
  for (const sql of [
    'ALTER TABLE "public"."bare" REPLICA IDENTITY FULL;',
    'ALTER TABLE "public"."indexed" REPLICA IDENTITY USING INDEX "indexed_a";',
    'ALTER TABLE "public"."No Thing" REPLICA IDENTITY DEFAULT;',
    'ALTER TABLE "public"."deferred" REPLICA IDENTITY FULL;',
    'ALTER TABLE parts_1 REPLICA IDENTITY FULL;',
  ]) {
    t.ok(repairs.includes(sql), sql)
  }
  t.equal(errorsOf(found).length, 5)
  await repair(database, found)
  t.strictSame(errorsOf(await findingsOf(database, tables)), [])
  await database.query(`create publication p for table bare, indexed, "No Thing", deferred, parts`)
  await database.query(`
    delete from bare; delete from indexed; delete from "No Thing"; delete from deferred;
    update parts set id = 1`)
})

test('a key that the replica identity lacks, a full one, and generated columns are told', async (t) => {
  const database = await usePostgres(t)
  await database.query(`
    create table lacking (id int primary key, code text not null unique);
    alter table lacking replica identity using index lacking_code_key;
    create table heavy (id int primary key);
    alter table heavy replica identity full;
    create table keyless (v int);
    alter table keyless replica identity full;
    create table computed (id int primary key, twice int generated always as (id * 2) stored)`)
  const names = ['lacking', 'heavy', 'keyless', 'computed'].map((name) => `public.${name}`)
  const found = await findingsOf(database, names)
  t.match(matching(found, /lacking: its replica identity lacks id of the key/), {
    ...{ level: 'warning', repair: ['ALTER TABLE "public"."lacking" REPLICA IDENTITY DEFAULT;'] },
  })
  t.match(matching(found, /heavy has the primary key \(id\), replica identity FULL/), {
    ...{ level: 'ok', hint: /whole old row/ },
  })
  t.match(matching(found, /keyless has no key/), {
    level: 'warning',
    hint: /message\.key\.columns/,
  })
  t.match(matching(found, /generated columns are not in the records: twice/), { level: 'warning' })
})

test('tables that cannot be read are told apart', async (t) => {
  const database = await usePostgres(t)
  await database.query(`
    create unlogged table fast (id int primary key);
    create view seen as select 1 as id;
    create table whole (id int primary key) partition by range (id);
    create table part partition of whole for values from (1) to (9)`)
  const names = ['fast', 'seen', 'part', 'nowhere'].map((name) => `public.${name}`)
  const found = await findingsOf(database, names)
  t.match(matching(found, /fast is unlogged/), {
    ...{ level: 'error', repair: ['ALTER TABLE "public"."fast" SET LOGGED;'] },
  })
  t.match(matching(found, /seen is a view/), { level: 'error' })
  t.match(matching(found, /part is a partition/), { level: 'error', hint: /partitioned table/ })
  t.match(matching(found, /there is no table public\.nowhere/), { level: 'error' })
})

test('a role with no rights: the SQL gives it what it needs, and nothing else is missing', async (t) => {
  const database = await usePostgres(t)
  const role = `reader_${database.database}`
  await database.query(`
    create role ${role} login password 'secret';
    create schema sales;
    create table sales.orders (id int primary key);
    create table public.items (id int primary key);
    alter table public.items enable row level security`)
  t.teardown(() => database.query(`drop owned by ${role}; drop role ${role}`))
  const tables = ['sales.orders', 'public.items']
  const url = new URL(database.url)
  url.username = role
  url.password = 'secret'
  const asRole = { ...database, url: url.href }
  const found = await findingsOf(asRole, tables)
  for (const sql of [
    `ALTER ROLE "${role}" REPLICATION;`,
    `GRANT USAGE ON SCHEMA "sales" TO "${role}";`,
    `GRANT SELECT ON TABLE "sales"."orders" TO "${role}";`,
    `GRANT SELECT ON TABLE "public"."items" TO "${role}";`,
    `ALTER ROLE "${role}" BYPASSRLS;`,
    'CREATE PUBLICATION "millrace_shop_db" FOR TABLE "public"."items", "sales"."orders" WITH (publish_via_partition_root = true);',
  ]) {
    t.ok(
      found.some(({ repair = [] }) => repair.includes(sql)),
      sql,
    )
  }
  t.match(matching(found, /may not make it: it lacks CREATE/), { level: 'error' })
  await repair(database, found)
  t.strictSame(errorsOf(await findingsOf(asRole, tables)), [])
})

test('who cannot sign in gets the SQL for a role with the least rights', async (t) => {
  const database = await usePostgres(t)
  const url = database.url.replace('postgres:postgres@', 'nobody_here:wrong@')
  const found = await findingsOf({ ...database, url }, ['sales.orders'])
  t.equal(found.length, 1)
  t.match(found[0], { level: 'error', what: /refuses access/ })
  t.strictSame(found[0]!.repair, [
    'CREATE ROLE "nobody_here" LOGIN REPLICATION; -- give it a password with \\password',
    `GRANT CONNECT ON DATABASE "${database.database}" TO "nobody_here";`,
    'GRANT USAGE ON SCHEMA "sales" TO "nobody_here";',
    'GRANT SELECT ON TABLE "sales"."orders" TO "nobody_here";',
  ])
  t.notMatch(JSON.stringify(found), /wrong/, 'no password is told')
})

test('a publication of somebody else is looked through', async (t) => {
  const database = await usePostgres(t)
  await database.query(`
    create table a (id int primary key);
    create table b (id int primary key) partition by range (id);
    create publication theirs for table a with (publish = 'insert, update')`)
  const more = { 'publication.name': 'theirs', 'publication.autocreate.mode': 'disabled' }
  const found = await findingsOf(database, ['public.a', 'public.b'], more)
  t.match(matching(found, /theirs lacks public\.b/), {
    ...{ level: 'error', repair: ['ALTER PUBLICATION "theirs" ADD TABLE "public"."b";'] },
  })
  t.match(matching(found, /leaves out every delete and truncate/), { level: 'warning' })
  t.match(matching(found, /publish_via_partition_root = false/), { level: 'error' })
  await repair(database, found)
  t.strictSame(errorsOf(await findingsOf(database, ['public.a', 'public.b'], more)), [])
})

test('a slot that is there is looked at, with the WAL that it keeps', async (t) => {
  const database = await usePostgres(t)
  const slot = database.database
  await database.query(`create table a (id int primary key)`)
  await database.query(`select pg_create_logical_replication_slot('${slot}', 'pgoutput')`)
  const found = await findingsOf(database, ['public.a'], { 'slot.name': slot })
  t.match(matching(found, /is there, and nobody reads it now/), { level: 'ok' })
  t.match(matching(found, /WAL kept: \d+/), { level: 'ok' })
  const adopting = { 'slot.name': `${slot}_x`, 'slot.adopt': true }
  const absent = await findingsOf(database, ['public.a'], adopting)
  t.match(matching(absent, /there is no slot .* to adopt/), { level: 'error' })
})

test('failover needs a server that has it, and standbys that are waited for', async (t) => {
  const database = await usePostgres(t)
  await database.query('create table a (id int primary key)')
  const found = await findingsOf(database, ['public.a'], { 'slot.failover': true })
  t.ok(matching(found, /synchronized_standby_slots is empty|needs PostgreSQL 17/))
})

test('a slot of another kind or database, or one that is invalid, is an error', (t) => {
  const wish = { slot: 's', database: 'shop', failover: true, adopt: false, version: 180000 }
  const good = {
    ...{ plugin: 'pgoutput', database: 'shop', activePid: null, confirmed: 1n },
    ...{ walStatus: 'reserved', invalidation: null, conflicting: false, failover: true },
  }
  const judged = (state: object) => [...judgeState(wish, { ...good, ...state })]
  t.match(judged({}), [{ level: 'ok' }])
  t.match(judged({ failover: false }), [{ level: 'ok' }, { level: 'warning', what: /standbys/ }])
  t.match(judged({ plugin: 'decoderbufs' }), [{ level: 'error', what: /decoderbufs/ }])
  t.match(judged({ database: 'other' }), [{ level: 'error', what: /database other/ }])
  const lost = { level: 'error', repair: ["SELECT pg_drop_replication_slot('s');"] }
  t.match(judged({ walStatus: 'lost' }), [{ ...lost, what: /max_slot_wal_keep_size/ }])
  const idle = { walStatus: 'lost', invalidation: 'idle_timeout' }
  t.match(judged(idle), [{ ...lost, what: /idle_replication_slot_timeout/ }])
  t.end()
})

const facts: ServerFacts = {
  ...{ version: 180000, release: '18.0', encoding: 'UTF8', walLevel: 'logical', keepMb: 1024 },
  ...{ slots: 1, maxSlots: 10, senders: 1, maxSenders: 10, hasSlot: false, isStandby: false },
  ...{ isEncrypted: true, isLocal: false, pid: 7, toldPid: 7, idleTimeout: '0' },
}
const judgedServer = (more: Partial<ServerFacts>, managed?: Managed) =>
  [...judgeServer({ ...facts, ...more }, managed)].filter(({ level }) => level !== 'ok')

test('settings of the server that are wrong come with ALTER SYSTEM', (t) => {
  t.strictSame(judgedServer({}), [])
  const wal = { level: 'error', repair: ["ALTER SYSTEM SET wal_level = 'logical';"] }
  t.match(judgedServer({ walLevel: 'replica' }), [wal])
  t.match(judgedServer({ slots: 10 }), [
    { level: 'error', repair: ["ALTER SYSTEM SET max_replication_slots = '14';"] },
  ])
  t.strictSame(judgedServer({ slots: 10, hasSlot: true }), [], 'the slot has its place already')
  t.match(judgedServer({ senders: 10 }), [{ level: 'error', what: /max_wal_senders/ }])
  t.match(judgedServer({ keepMb: -1 }), [{ level: 'warning', what: /fills the disk/ }])
  t.match(judgedServer({ version: 130000 }), [{ level: 'error', what: /older/ }])
  t.match(judgedServer({ version: 190000 }), [{ level: 'warning', what: /newer/ }])
  t.match(judgedServer({ encoding: 'SQL_ASCII' }), [{ level: 'error' }])
  t.match(judgedServer({ encoding: 'LATIN1' }), [{ level: 'warning', what: /LATIN1, not UTF8/ }])
  t.match(judgedServer({ isEncrypted: false }), [{ level: 'warning', what: /not encrypted/ }])
  t.strictSame(judgedServer({ isEncrypted: false, isLocal: true }), [])
  t.match(judgedServer({ idleTimeout: '1d' }), [{ level: 'warning', what: /for 1d is lost/ }])
  t.strictSame(judgedServer({ idleTimeout: null }), [])
  t.match(judgedServer({ isStandby: true }), [{ level: 'warning', what: /standby/ }])
  t.match(judgedServer({ isStandby: true, version: 150000 }), [{ level: 'error' }])
  t.end()
})

test('on managed services, hints name the setting of the service', (t) => {
  for (const managed of ['rds', 'cloudsql', 'azure', 'supabase', 'neon'] as const) {
    const [found] = judgedServer({ walLevel: 'replica' }, managed)
    t.match(found, { level: 'error', hint: walLevelHints[managed] })
    t.equal(found!.repair, undefined, 'ALTER SYSTEM is not to be had there')
  }
  t.match(walLevelHints.rds, /rds\.logical_replication/)
  t.match(walLevelHints.cloudsql, /cloudsql\.logical_decoding/)
  t.end()
})

test('a pooler in between is noticed', async (t) => {
  const database = await usePostgres(t)
  await database.query('create table a (id int primary key)')
  const port = await startPooler(t, Number(new URL(database.url).port))
  const url = new URL(database.url)
  url.port = String(port)
  const found = await findingsOf({ ...database, url: url.href }, ['public.a'])
  t.match(matching(found, /there is a pooler/), { level: 'error', hint: /replication/ })
})

test('a server that is not there is one finding', async (t) => {
  const options = postgresOptions.parse({ url: 'postgres://u:p@127.0.0.1:1/db', tables: ['a.b'] })
  const found = await collect(check(options))
  t.match(found, [{ level: 'error', what: /127\.0\.0\.1:1\/db cannot be reached/ }])
})

function findingsOf(
  { url }: TestDatabase,
  tables: readonly string[],
  more: Readonly<Record<string, unknown>> = {},
): Promise<Finding[]> {
  const options = postgresOptions.parse({ url, tables, ...more })
  return collect(check(options, { pipeline: 'shop', name: 'db' }))
}

function matching(found: readonly Finding[], what: RegExp): Finding | undefined {
  return found.find((finding) => what.test(finding.what))
}

function errorsOf(found: readonly Finding[]): readonly string[] {
  return found.filter(({ level }) => level === 'error').map(({ what }) => what)
}

/** Runs what errors advise; the settings of the server are everybody's. */
async function repair({ query }: TestDatabase, found: readonly Finding[]): Promise<void> {
  for (const { repair = [] } of found) {
    for (const sql of repair) if (!sql.startsWith('ALTER SYSTEM')) await query(sql)
  }
}

/** Stands between us and the server as a pooler does: it tells a process of its own. */
async function startPooler(t: Test, port: number): Promise<number> {
  const server = createServer((client) => {
    const upstream = dial(port, '127.0.0.1')
    upstream.on('data', (bytes) => client.write(withOtherPid(bytes)))
    client.on('data', (bytes) => upstream.write(bytes))
    for (const socket of [client, upstream]) {
      socket.on('error', () => {})
      socket.on('close', () => client.end())
      socket.on('close', () => upstream.end())
    }
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => server.close())
  return (server.address() as { port: number }).port
}

// BackendKeyData: 'K' length:u32 (12) pid:u32 key:u32
function withOtherPid(bytes: Buffer): Buffer {
  const at = bytes.indexOf(Buffer.from([0x4b, 0, 0, 0, 12]))
  if (at >= 0) bytes.writeUInt32BE(bytes.readUInt32BE(at + 5) + 1, at + 5)
  return bytes
}
