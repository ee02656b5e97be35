import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Test, test } from 'tap'
import { check } from '../../connectors/postgres/check.ts'
import { postgresOptions } from '../../connectors/postgres/options.ts'
import { PostgresSource } from '../../connectors/postgres/source.ts'
import { MillraceError } from '../../src/core/errors.ts'
import type { Connector, Finding } from '../../src/core/plugin.ts'
import type { Parts } from '../../src/launcher/run/pipeline.ts'
import { usePostgres } from '../support/servers/use.ts'
import { begin, reconfigure, until } from './pipeline.ts'
import { inSqlite } from './targets.ts'

const connector = `name: shop
connectors:
  db:
    type: postgres
    url: \${DATABASE_URL}
    slot.name: \${SLOT}
    tables: [public.*]
`

const schema = `
  CREATE TABLE orders (id int PRIMARY KEY, total int);
  INSERT INTO orders VALUES (1, 1)`

async function prepare(t: Test, files: Readonly<Record<string, string>>, sql = schema) {
  const database = await usePostgres(t)
  await database.query(sql)
  const folder = t.testdir(files)
  const env = { DATABASE_URL: database.url, SLOT: database.database }
  const lines = () => {
    const file = join(folder, 'lines.ndjson')
    return existsSync(file) ? readFileSync(file, 'utf8') : ''
  }
  return { database, folder, env, lines, documents: documentsIn(folder) }
}

const documentsIn = (folder: string) => (table: string) => inSqlite(join(folder, 'shop.db'), table)

test('a table without a key stops the views that read it, not the topics', async (t) => {
  const { database, folder, env, lines } = await prepare(
    t,
    {
      'pipeline.yaml': `${connector}sinks:
  local: {type: sqlite, from: db.public.notes, path: shop.db, table: notes}
  lines: {type: file, from: db.public.notes, path: lines.ndjson}
`,
    },
    "CREATE TABLE notes (text text); INSERT INTO notes VALUES ('keyless')",
  )
  const options = postgresOptions.parse({ url: database.url, tables: ['public.notes'] })
  const findings: Finding[] = []
  for await (const finding of check(options)) findings.push(finding)
  t.match(
    findings.find(({ level }) => level === 'error'),
    { what: /public\.notes has no primary key/, hint: /primary key|REPLICA IDENTITY FULL/ },
  )

  const running = await begin(t, { folder, env })
  const { reason } = await running.until('views', ({ state }) => state === 'failed')
  t.match(reason, /^NO_KEY: .*db\.public\.notes/)
  t.match(reason, 'message.key.columns')
  await database.query("INSERT INTO notes VALUES ('still told')")
  await until(() => lines().includes('still told'))
  t.match(await running.part('db'), { state: 'running' })
})

const view = (body: string) => `export const orders = {
  define: ({ table }) => table('db.public.orders').mapValues((order) => {
    ${body}
    return { ...order, seen: true }
  }),
}
`

test('a view that throws stops alone, and nothing is lost once its code is right', async (t) => {
  const { database, folder, env, lines, documents } = await prepare(t, {
    'pipeline.yaml': `${connector}views:
  orders: {module: wrong.mjs}
sinks:
  local: {type: sqlite, from: orders, path: shop.db, table: orders}
  lines: {type: file, from: db.public.orders, path: lines.ndjson}
`,
    'wrong.mjs': view("if (order.total === 13) throw new Error('unlucky total')"),
    'right.mjs': view(''),
  })
  const first = await begin(t, { folder, env })
  await until(() => documents('orders')['1'] !== undefined)
  await database.query('INSERT INTO orders VALUES (2, 2)')
  await until(() => documents('orders')['2'] !== undefined)
  await database.query('INSERT INTO orders VALUES (13, 13); INSERT INTO orders VALUES (14, 14)')
  const { reason } = await first.until('views', ({ state }) => state === 'failed')
  t.match(reason, /^VIEW_FAILED: View orders failed in .* at key .*13.*: Error: unlucky total/)
  t.match(reason, 'Correct the code of the view')
  await database.query('DELETE FROM orders WHERE id = 1')
  await until(() => lines().includes('"op":"d"'))
  t.same(Object.keys(documents('orders')), ['1', '2'], 'what came before stays')
  t.match(await first.part('db'), { state: 'running' })
  t.match(await first.part('local'), { state: 'running' })
  await first.stop()

  reconfigure(folder, 'wrong.mjs', 'right.mjs')
  await begin(t, { folder, env })
  const right = Object.fromEntries(
    [2, 13, 14].map((id) => [String(id), { id, total: id, seen: true }]),
  )
  await until(() => JSON.stringify(documents('orders')) === JSON.stringify(right))
  t.same(documents('orders'), right)
})

test('a column that is not there holds the views up, until somebody adds it', async (t) => {
  const { database, folder, env, documents } = await prepare(t, {
    'pipeline.yaml': `${connector}views:
  orders: {root: db.public.orders, compute: {gross: totl * 2}}
sinks:
  local: {type: sqlite, from: orders, path: shop.db, table: orders}
`,
  })
  const running = await begin(t, { folder, env })
  const { reason } = await running.until('views', ({ state }) => state === 'paused')
  t.match(
    reason,
    /^COLUMN_MISSING: views\.orders\.compute\.gross: db\.public\.orders has no column/,
  )
  t.match(reason, '"totl"; did you mean total?')
  await running.until('db', ({ state }) => state === 'running')
  await database.query('ALTER TABLE orders ADD COLUMN totl int; UPDATE orders SET totl = 4')
  const gross = () => (documents('orders')['1'] as { gross?: number } | undefined)?.gross
  await until(() => gross() === 8)
  t.equal(gross(), 8)
})

test('rows deleted while a snapshot was cut off vanish from views and sinks', async (t) => {
  const { database, folder, env, documents } = await prepare(
    t,
    {
      'pipeline.yaml': `${connector}sinks:
  local: {type: sqlite, from: db.public.orders, path: shop.db, table: orders}
`,
    },
    `CREATE TABLE orders (id int PRIMARY KEY, total int);
     INSERT INTO orders SELECT i, i FROM generate_series(1, 60) i`,
  )
  const options = postgresOptions.parse({
    ...{ url: database.url, tables: ['public.orders'], 'slot.name': database.database },
  })
  const context = { pipeline: 'shop', name: 'db', say: () => {} }
  const source = new PostgresSource(options, context, { batchBytes: 2000 })
  const meanwhile = async () => {
    await until(() => Object.keys(documents('orders')).length > 0)
    t.ok(documents('orders')['1'])
    await database.query('DELETE FROM orders WHERE id < 4; INSERT INTO orders VALUES (61, 61)')
  }
  await begin(t, { folder, env, change: (parts) => withSource(parts, cutOnce(source, meanwhile)) })
  const left = Array.from({ length: 58 }, (_, i) => String(i + 4))
  await until(
    () => JSON.stringify(Object.keys(documents('orders'))) === JSON.stringify(left),
    () => Object.keys(documents('orders')),
  )
  t.same(Object.keys(documents('orders')), left)
})

function withSource(parts: Parts, connector: Connector): Parts {
  return { ...parts, connectors: parts.connectors.map((part) => ({ ...part, connector })) }
}

/** The source, cut off once: after its first rows and what happens meanwhile. */
function cutOnce(source: PostgresSource, meanwhile: () => Promise<void>): Connector {
  let isCut = false
  return {
    name: source.name,
    topics: source.topics,
    status: () => source.status(),
    knows: () => source.knows(),
    ack: (position) => source.ack(position),
    async *read(from, signal) {
      for await (const batch of source.read(from, signal)) {
        yield batch
        if (isCut || batch.records.length === 0) continue
        isCut = true
        await meanwhile()
        throw new MillraceError('CONNECTION_LOST', 'Cut off by the test.')
      }
    },
  }
}
