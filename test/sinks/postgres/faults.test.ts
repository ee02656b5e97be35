import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { sqlClient } from '../../support/servers/sql.ts'
import { begin, type Campaign, type CampaignOptions } from './campaign.ts'

t.setTimeout(300_000)

const survives = (
  fault: string,
  options: CampaignOptions,
  body: (campaign: Campaign, t: Test) => Promise<void>,
) => {
  t.test(`a sink survives ${fault}`, async (t) => {
    const campaign = await begin(t, options)
    await campaign.progress()
    await body(campaign, t)
    await campaign.progress()
    await campaign.settle()
  })
}

const checkpoint = 'target.millrace_checkpoint'

survives('connections that break once the server has committed', {}, async ({ proxy }, t) => {
  proxy.disturb('reset after commit')
  await sleep(700)
  t.ok(proxy.disturbed > 2)
  proxy.disturb('none')
})

survives('a server that nobody reaches', {}, async ({ proxy, state }) => {
  proxy.disturb('down')
  await state('retrying', /CONNECTION_LOST/)
  await sleep(500)
  proxy.disturb('none')
})

survives('rows that do not fit', { odd: [{ id: 'odd', row: '{"t":"\\u0000"}' }] }, async () => {
  await sleep(500)
})

survives('a server that is stopped and started again', { ownServer: true }, async (campaign) => {
  const { server, state, lookAway, lookAgain } = campaign
  lookAway()
  await server!.kill()
  await state('retrying', /CONNECTION_LOST/)
  await server!.restart()
  lookAgain()
})

survives('connections that an operator ends', {}, async ({ query }) => {
  for (let i = 0; i < 5; i++) {
    await query(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity
      WHERE application_name = 'millrace/shop/lookup' AND datname = current_database()`)
    await sleep(100)
  }
})

survives('a lock that somebody holds', { sink: { timeoutMs: 1_000 } }, async (campaign) => {
  const { url, state } = campaign
  await withClient(url, async (query) => {
    await query('BEGIN; LOCK TABLE target.orders')
    await state('retrying', /TARGET_BUSY.*lock timeout/)
    await query('ROLLBACK')
  })
})

survives('a deadlock', { sink: { timeoutMs: 20_000 } }, async ({ url, progress, report }, t) => {
  await withClient(url, async (query) => {
    // The other side waits for ever, so that the sink is the one that is chosen.
    await query("SET deadlock_timeout = '1h'")
    for (let retries = 0; retries === 0; retries = (await report()).meter.retries) {
      await progress()
      await query('BEGIN; LOCK TABLE target.orders IN SHARE MODE')
      await sleep(300)
      await query(`SELECT * FROM ${checkpoint} FOR UPDATE; COMMIT`)
    }
  })
  t.ok((await report()).meter.retries > 0)
})

survives('a database whose transactions are serializable', {}, async (campaign) => {
  const { query, database, url, progress } = campaign
  await query(`ALTER DATABASE ${database} SET default_transaction_isolation = 'serializable'`)
  await query(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE application_name = 'millrace/shop/lookup' AND datname = current_database()`)
  await withClient(url, async (touch) => {
    for (let i = 0; i < 20; i++) {
      await touch('UPDATE target.orders SET _partition = _partition').catch(() => {})
      await sleep(20)
    }
  })
  await progress()
})

survives('rights that are taken away', { asUser: true }, async ({ query, user, state }) => {
  await query(
    `ALTER TABLE target.orders OWNER TO postgres; GRANT SELECT ON target.orders TO ${user}`,
  )
  await state('paused', /ACCESS_DENIED.*permission denied/)
  await query(`ALTER TABLE target.orders OWNER TO ${user}`)
})

survives('a database that only reads', {}, async ({ query, database, state }) => {
  const end = `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE application_name = 'millrace/shop/lookup' AND datname = current_database()`
  await query(`ALTER DATABASE ${database} SET default_transaction_read_only = on`)
  await query(end)
  await state('paused', /TARGET_BLOCKED.*read-only/)
  await query(`ALTER DATABASE ${database} SET default_transaction_read_only = off`)
})

t.test('a sink survives tables that are dropped, and fills them again', async (t) => {
  const { progress, query, lookAway, lookAgain, settle, report } = await begin(t)
  await progress()
  lookAway()
  await query('DROP TABLE target.orders')
  const { written } = await report()
  await progress()
  lookAgain()
  await settle(true)
  t.ok(written > 0)
})

t.test('a sink goes on from where a database stands that was restored', async (t) => {
  const { progress, url, lookAway, lookAgain, settle } = await begin(t)
  await progress()
  const tables = ['orders', 'orders__deleted', 'millrace_checkpoint']
  await withClient(url, async (query) => {
    await query(`BEGIN ISOLATION LEVEL REPEATABLE READ; LOCK TABLE ${checkpoint} IN SHARE MODE`)
    for (const table of tables) await query(`CREATE TABLE public.${table} AS TABLE target.${table}`)
    await query('COMMIT')
    await progress()
    await sleep(500)
    lookAway()
    await query('BEGIN')
    for (const table of tables) {
      await query(`TRUNCATE target.${table}; INSERT INTO target.${table} TABLE public.${table}`)
    }
    await query('COMMIT')
  })
  await sleep(500)
  lookAgain()
  await progress()
  await settle(true)
})

async function withClient(
  url: string,
  work: (query: (sql: string) => Promise<unknown>) => Promise<void>,
): Promise<void> {
  const client = sqlClient(url)
  try {
    await work(client.query)
  } finally {
    await client.end()
  }
}
