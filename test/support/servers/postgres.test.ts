import { existsSync } from 'node:fs'
import t from 'tap'
import { execute, startPostgres } from './postgres.ts'
import { sqlClient } from './sql.ts'
import { usePostgres } from './use.ts'

t.test(
  'Postgres keeps what was committed when it is killed, and is gone when stopped',
  async (t) => {
    const server = await startPostgres({ settings: { max_replication_slots: '7' } })
    const url = await server.createDatabase('a shop')
    const client = sqlClient(url)
    await client.query('create table kept (id int primary key); insert into kept values (1)')
    const settings = await client.query(
      `select current_setting('wal_level') as level, current_setting('max_replication_slots') as slots,
      current_setting('TimeZone') as zone`,
    )
    t.strictSame(settings, [{ level: 'logical', slots: '7', zone: 'UTC' }])
    const { pid } = server
    await server.kill()
    await t.rejects(execute(url, 'select 1'))
    await server.restart({ wal_level: 'replica' })
    t.not(server.pid, pid)
    t.strictSame(await client.query('table kept'), [{ id: 1 }])
    t.strictSame(await client.query('show wal_level'), [{ wal_level: 'replica' }])
    await client.end()
    await server.stop()
    t.notOk(existsSync(server.dir))
    await t.rejects(execute(url, 'select 1'))
  },
)

t.test('a test has a database of its own, which is dropped with its slots', async (t) => {
  let left = { adminUrl: '', database: '' }
  const outer = await usePostgres(t)
  await t.test('the test', async (t) => {
    const db = await usePostgres(t)
    t.not(db.database, outer.database)
    await db.query("select pg_create_logical_replication_slot(current_database(), 'pgoutput')")
    t.strictSame(await db.query('select $1::int as n', [1]), [{ n: 1 }])
    left = db
  })
  if (left.adminUrl !== outer.adminUrl) return // The test's server is gone, and all with it.
  const databases = 'select 1 from pg_database where datname = $1'
  const slots = 'select 1 from pg_replication_slots where slot_name = $1'
  t.strictSame(await outer.query(databases, [left.database]), [])
  t.strictSame(await outer.query(slots, [left.database]), [])
})
