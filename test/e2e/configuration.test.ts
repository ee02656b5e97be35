import { test } from 'tap'
import { cli, start } from '../launcher/child.ts'
import { usePostgres } from '../support/servers/use.ts'

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

test('an unknown option ends the program with 2, its place and the nearest name', async (t) => {
  const wrong = configuration
    .replace('slot.name:', 'slot.nam:')
    .replace('path: shop.db', 'pth: shop.db')
  const cwd = t.testdir({ 'pipeline.yaml': wrong })
  const env = { DATABASE_URL: 'postgres://127.0.0.1:9/none', SLOT: 'none' }
  const child = start(cli, ['run', 'pipeline.yaml'], { cwd, env })
  t.equal(await child.ended, 2)
  t.match(child.output(), /pipeline\.yaml:6:5: .*slot\.nam.* is not an option.*slot\.name/)
  t.match(child.output(), /pipeline\.yaml:9:\d+: .*pth.* is not an option.*path/)
})

test('what stops a part is told by the program, by its status, and by its exit code', async (t) => {
  const { url, database, query } = await usePostgres(t)
  await query('CREATE TABLE orders (id int PRIMARY KEY, total int)')
  const cwd = t.testdir({ 'pipeline.yaml': configuration })
  const wrong = new URL(url)
  wrong.password = 'a-wrong-password'
  const env = { DATABASE_URL: wrong.href, SLOT: database }
  const child = start(cli, ['run', 'pipeline.yaml'], { cwd, env })
  t.teardown(() => child.kill('SIGKILL'))
  await child.said(/ACCESS_DENIED: .*password authentication failed/)
  const status = start(cli, ['status', 'pipeline.yaml'], { cwd, env })
  t.equal(await status.ended, 0)
  t.match(status.output(), /ACCESS_DENIED: .*password authentication failed/)
  t.match(status.output(), 'Correct the user, password or key')
  child.kill('SIGTERM')
  t.equal(await child.ended, 0)
  t.notMatch(child.output() + status.output(), 'a-wrong-password')

  await query(`DROP TABLE orders`)
  const missing = start(cli, ['run', 'pipeline.yaml'], { cwd, env: { ...env, DATABASE_URL: url } })
  t.teardown(() => missing.kill('SIGKILL'))
  t.equal(await missing.ended, 1)
  t.match(missing.output(), /TABLE_MISSING: .*public\.orders.* Create the table/)
})

test('a topic that two connectors would write is a fault of the configuration', async (t) => {
  const second = `  copy:
    type: postgres
    url: \${DATABASE_URL}
    tables: [public.orders]
    rename: {topics: {public.orders: db.public.orders}}
`
  const both = configuration.replace('sinks:', `${second}sinks:`)
  const cwd = t.testdir({ 'pipeline.yaml': both })
  const env = { DATABASE_URL: 'postgres://127.0.0.1:9/none', SLOT: 'none' }
  const child = start(cli, ['validate', 'pipeline.yaml'], { cwd, env })
  t.equal(await child.ended, 2)
  t.match(
    child.output(),
    /pipeline\.yaml:8:3: connectors\.copy: writes to the topic db\.public\.orders, as db does/,
  )
})
