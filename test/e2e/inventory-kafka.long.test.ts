import { cpSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { test } from 'tap'
import { cli, start } from '../launcher/child.ts'
import { useKafka, usePostgres } from '../support/servers/use.ts'

const example = join(import.meta.dirname, '../../config/inventory')

test('two instances on Kafka answer for every store, also when one is killed', async (t) => {
  const { bootstrap, prefix } = await useKafka(t)
  const database = await usePostgres(t)
  await database.query(readFileSync(join(example, 'schema.sql'), 'utf8'))
  const folder = t.testdir()
  cpSync(example, folder, { recursive: true })
  // The cluster is shared: names begin with the test's own.
  const text = readFileSync(join(example, 'kafka.yaml'), 'utf8')
  const own = text.replace('name: retail', `name: ${prefix}`).replace('  db:', `  ${prefix}:`)
  const code = readFileSync(join(example, 'inventory.ts'), 'utf8').replaceAll("'db.", `'${prefix}.`)
  writeFileSync(join(folder, 'kafka.yaml'), own)
  writeFileSync(join(folder, 'inventory.ts'), code)

  const run = async (name: string) => {
    const child = start(cli, ['run', 'kafka.yaml'], {
      cwd: folder,
      env: {
        ...{ DATABASE_URL: database.url, BROKERS: bootstrap, SLOT: database.database },
        ...{ DATA_PATH: join(folder, name), HTTP_PORT: '0' },
      },
    })
    t.teardown(() => child.kill('SIGKILL'))
    await child.said(/answers at (\S+)/)
    const [, url = ''] = /answers at (\S+)/.exec(child.output()) ?? []
    return { child, get: async (path: string) => (await fetch(url + path)).text() }
  }
  const write = async (sql: string): Promise<string> => {
    await database.query(sql)
    const [row] = await database.query<{ lsn: string }>('SELECT pg_current_wal_lsn()::text AS lsn')
    return row!.lsn
  }
  const count = (store: number, lsn: string) =>
    `/inventory/stores/${store}/items/7/count?atLeast=${lsn}`
  /** Asks until the version is there: the first start takes a while. */
  const until = async (get: (path: string) => Promise<string>, path: string, wanted: string) => {
    const deadline = Date.now() + 60_000
    for (;;) {
      const found = await get(path)
      if (found === wanted || Date.now() > deadline) return t.equal(found, wanted, path)
      await sleep(200)
    }
  }

  const [one, two] = [await run('one'), await run('two')]
  const stores = [1, 2, 3, 4, 5, 6]
  const shipped = await write(
    `INSERT INTO shipments (store, item, quantity) SELECT s, 7, s * 10 FROM generate_series(1, 6) s`,
  )
  for (const { get } of [one, two]) {
    for (const store of stores) await until(get, count(store, shipped), `${store * 10}\n`)
  }
  const sold = await write('INSERT INTO sales (store, item, quantity) VALUES (1, 7, 3), (2, 7, 4)')
  for (const { get } of [one, two]) {
    await until(get, count(1, sold), '7\n')
    await until(get, count(2, sold), '16\n')
  }
  one.child.kill('SIGKILL')
  // Copies answer at once, and who has taken over sees new writes.
  for (const store of [3, 4, 5, 6]) {
    await until(two.get, `/inventory/stores/${store}/items/7/count`, `${store * 10}\n`)
  }
  const later = await write('INSERT INTO sales (store, item, quantity) VALUES (1, 7, 1), (2, 7, 1)')
  await until(two.get, count(1, later), '6\n')
  await until(two.get, count(2, later), '15\n')
  two.child.kill('SIGTERM')
  t.equal(await two.child.ended, 0, two.child.output())
})
