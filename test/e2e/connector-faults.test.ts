import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Test, test } from 'tap'
import { openSource } from '../connectors/postgres/reading.ts'
import { type TestDatabase, usePostgres } from '../support/servers/use.ts'
import { begin, until } from './pipeline.ts'
import { inSqlite } from './targets.ts'

const configuration = `name: shop
connectors:
  db:
    type: postgres
    url: \${DATABASE_URL}
    slot.name: \${SLOT}
    tables: [public.orders]
sinks:
  local: {type: sqlite, from: db.public.orders, path: shop.db, table: orders}
`

/** A shop with one order, and a pipeline for it. */
async function prepare(t: Test) {
  const database = await usePostgres(t)
  await createOrders(database)
  const folder = t.testdir({ 'pipeline.yaml': configuration })
  const env = { DATABASE_URL: database.url, SLOT: database.database }
  return { database, folder, env, orders: () => inSqlite(join(folder, 'shop.db'), 'orders') }
}

async function createOrders({ query }: TestDatabase): Promise<void> {
  await query(
    'CREATE TABLE orders (id int PRIMARY KEY, total int); INSERT INTO orders VALUES (1, 1)',
  )
}

test('a wrong password pauses the connector, which goes on once the password works', async (t) => {
  const { database, folder, env, orders } = await prepare(t)
  const role = `${database.database}_role`
  await database.query(`CREATE ROLE ${role} LOGIN SUPERUSER PASSWORD 'other'`)
  t.teardown(() => database.query(`DROP OWNED BY ${role}; DROP ROLE ${role}`))
  const url = new URL(database.url)
  url.username = role
  url.password = 'the-password-in-use'
  const running = await begin(t, { folder, env: { ...env, DATABASE_URL: url.href } })

  const { reason } = await running.until('db', ({ state }) => state === 'paused')
  t.match(reason, /^ACCESS_DENIED: .*password authentication failed/)
  t.match(reason, /Correct the user, password or key/)
  t.notMatch(reason, 'the-password-in-use')
  await database.query(`ALTER ROLE ${role} PASSWORD 'the-password-in-use'`)
  await until(() => orders()['1'] !== undefined)
  t.match(await running.part('db'), { state: 'running', reason: null })
  await running.stop()
})

test('a server without wal_level = logical stops the connector and says how to set it', async (t) => {
  const database = await usePostgres(t, { settings: { wal_level: 'replica' } })
  await createOrders(database)
  const folder = t.testdir({ 'pipeline.yaml': configuration })
  const env = { DATABASE_URL: database.url, SLOT: database.database }
  const running = await begin(t, { folder, env })
  const { reason } = await running.until('db', ({ state }) => state === 'failed')
  t.match(reason, /^WAL_LEVEL: .*wal_level = replica/)
  t.match(reason, 'ALTER SYSTEM SET wal_level')
  t.match(await running.part('local'), { state: 'running' }, 'others run on')
})

test('a slot that another process reads is waited for', async (t) => {
  const { database, folder, env, orders } = await prepare(t)
  const first = await begin(t, { folder, env })
  await until(() => orders()['1'] !== undefined)
  const position = await first.log.writer('shop.db').resume('db')
  await first.stop()

  const other = openSource(database, ['public.orders'])
  const stop = new AbortController()
  const reading = (async () => {
    for await (const _ of other.read(position, stop.signal));
  })()
  await until(async () => (await activePid(database)) !== null)
  const second = await begin(t, { folder, env })
  const { reason } = await second.until('db', ({ reason }) => reason?.includes('SLOT_') ?? false)
  t.match(reason, new RegExp(`^SLOT_IN_USE: .*${env.SLOT}.* process \\d+`))
  await database.query('INSERT INTO orders VALUES (2, 2)')
  stop.abort()
  await reading
  await until(() => orders()['2'] !== undefined)
  t.match(await second.part('db'), { state: 'running', reason: null })
})

test('a slot that was dropped stops the connector: what it missed is not passed over', async (t) => {
  const { database, folder, env, orders } = await prepare(t)
  const first = await begin(t, { folder, env })
  await until(() => orders()['1'] !== undefined)
  await first.stop()
  await until(async () => (await activePid(database)) === null)
  await database.query('SELECT pg_drop_replication_slot($1)', [env.SLOT])
  await database.query('INSERT INTO orders VALUES (2, 2)')

  const second = await begin(t, { folder, env })
  const { reason } = await second.until('db', ({ state }) => state === 'failed')
  t.match(reason, new RegExp(`^SLOT_LOST: .*${env.SLOT} does not exist`))
  t.match(reason, 'new snapshot')
  t.same(Object.keys(orders()), ['1'])
})

test('a slot that was moved on by others is a gap, and is never passed over', async (t) => {
  const { database, folder, env, orders } = await prepare(t)
  const first = await begin(t, { folder, env })
  await until(() => orders()['1'] !== undefined)
  await first.stop()
  await until(async () => (await activePid(database)) === null)
  await database.query('INSERT INTO orders VALUES (2, 2)')
  const advance = 'SELECT pg_replication_slot_advance($1, pg_current_wal_lsn())'
  await database.query(advance, [env.SLOT])
  await database.query('INSERT INTO orders VALUES (3, 3)')

  const second = await begin(t, { folder, env })
  const { reason } = await second.until('db', ({ state }) => state === 'failed')
  t.match(reason, /^POSITION_GAP: .*stands at .*only .* was read/)
  t.match(reason, 'new snapshot')
  t.same(Object.keys(orders()), ['1'], 'not even what came after the gap')
})

test('another server than before stops the connector', async (t) => {
  const { folder, env, orders } = await prepare(t)
  const first = await begin(t, { folder, env })
  await until(() => orders()['1'] !== undefined)
  await first.stop()
  const other = await usePostgres(t, {})
  await createOrders(other)
  const second = await begin(t, { folder, env: { ...env, DATABASE_URL: other.url } })
  const { reason } = await second.until('db', ({ state }) => state === 'failed')
  t.match(reason, /^OTHER_DATABASE: .*system identifier \d+/)
  t.match(reason, 'Correct the URL')
})

test('a server that is shut down need not wait for the connector, which waits for the server', async (t) => {
  const database = await usePostgres(t, {})
  const server = database.server!
  await createOrders(database)
  const folder = t.testdir({ 'pipeline.yaml': configuration })
  const env = { DATABASE_URL: database.url, SLOT: database.database }
  const running = await begin(t, { folder, env })
  const orders = () => inSqlite(join(folder, 'shop.db'), 'orders')
  await until(() => orders()['1'] !== undefined)
  // The server ends only when its readers have acknowledged everything, also what is not for them.
  await database.query('CREATE TABLE others AS SELECT generate_series(1, 1000)')
  await server.restart()
  const log = readFileSync(join(server.dir, 'server.log'), 'utf8')
  t.match(log, 'received fast shutdown request')
  t.notMatch(log, 'received immediate shutdown request')
  await database.query('INSERT INTO orders VALUES (2, 2)')
  await until(() => orders()['2'] !== undefined)
  t.match(await running.part('db'), { state: 'running', reason: null })
})

async function activePid({ query, database }: TestDatabase): Promise<number | null | undefined> {
  const text = 'SELECT active_pid AS pid FROM pg_replication_slots WHERE slot_name = $1'
  const [slot] = await query<{ pid: number | null }>(text, [database])
  return slot?.pid
}
