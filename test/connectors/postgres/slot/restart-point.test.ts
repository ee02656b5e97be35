import { Client } from 'pg'
import { test } from 'tap'
import { RestartPoint } from '../../../../connectors/postgres/slot/restart-point.ts'
import { parseLsn } from '../../../../connectors/postgres/wal/lsn.ts'
import { usePostgres } from '../../../support/servers/use.ts'

const megabyte = 1024n * 1024n

test('after some WAL the server writes down which transactions run', async (t) => {
  const { query, url } = await usePostgres(t)
  const client = new Client(url)
  await client.connect()
  t.teardown(() => client.end())
  const end = async () => {
    const [row] = await query<{ lsn: string }>('SELECT pg_current_wal_insert_lsn() AS lsn')
    return parseLsn(row!.lsn)
  }
  const point = new RestartPoint({ sql: async () => client, say: t.fail })
  let asked = 0
  const ask = client.query.bind(client)
  client.query = ((text: string) => {
    asked++
    return ask(text)
  }) as typeof client.query
  const start = await end()
  await point.pass(start)
  await point.pass(start + megabyte)
  t.equal(asked, 0)
  await Promise.all([point.pass(start + 9n * megabyte), point.pass(start + 20n * megabyte)])
  t.equal(asked, 1, 'one question at a time')
  t.ok((await end()) > start, 'there is a new record')
  await point.pass(start + 10n * megabyte)
  t.equal(asked, 1, 'not again so soon')
})

test('who may not ask is told what to grant, once', async (t) => {
  const { query, url, database } = await usePostgres(t)
  const role = `limited_${database}`
  await query(`CREATE ROLE ${role}`)
  t.teardown(() => query(`DROP ROLE ${role}`))
  const client = new Client(url)
  await client.connect()
  t.teardown(() => client.end())
  await client.query(`SET ROLE ${role}`)
  const said: string[] = []
  const point = new RestartPoint({ sql: async () => client, say: (line) => said.push(line) })
  for (const megabytes of [1n, 20n, 40n]) await point.pass(megabytes * megabyte)
  t.equal(said.length, 1)
  t.match(said[0], /GRANT EXECUTE ON FUNCTION pg_log_standby_snapshot\(\)/)
})
