import { accessSync, constants, mkdirSync, rmSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { parseArgs } from 'node:util'
import { Client } from 'pg'
import type { LogRecord } from '../../../src/core/record.ts'
import type { Source } from '../../../src/core/source.ts'
import { type Config, loadConfig } from '../../../src/launcher/config/config.ts'
import { showFault } from '../../../src/launcher/config/fault.ts'
import { Mask } from '../../../src/launcher/config/mask.ts'
import { registry } from '../../../src/launcher/config/registry.ts'
import { statusOf } from '../../../src/launcher/inspect/status.ts'
import { openParts } from '../../../src/launcher/run/parts.ts'
import { run } from '../../../src/launcher/run/pipeline.ts'
import { loadViews } from '../../../src/launcher/run/views.ts'
import { openEmbeddedLog } from '../../../src/log/embedded.ts'
import { startPostgres } from '../../../test/support/servers/postgres.ts'
import { startRedis } from '../../../test/support/servers/redis.ts'
import { Display, type Latest } from './display.ts'
import { Shop } from './shop.ts'
import {
  agrees,
  compare,
  type Documents,
  expected,
  inRedis,
  inSearch,
  inSqlite,
} from './verdict.ts'

/*
 * The example of config/orders, alive: a real Postgres, an application that writes to it, and the
 * pipeline that keeps the sinks up. `--once N` makes N changes, waits for the sinks, and compares
 * each with the view as Postgres computes it.
 */
const { values } = parseArgs({
  options: {
    once: { type: 'string' },
    rate: { type: 'string', default: '20' },
    seed: { type: 'string', default: '1' },
    help: { type: 'boolean', short: 'h', default: false },
  },
})
if (values.help) {
  console.log(`npm run demo -- [--once N] [--rate TRANSACTIONS_PER_SECOND] [--seed S]

REDIS_URL, and ELASTICSEARCH_URL or OPENSEARCH_URL, add those sinks; a redis-server or
valkey-server on the PATH is started if REDIS_URL is not set.`)
  process.exit(0)
}
const searchUrl = process.env.ELASTICSEARCH_URL ?? process.env.OPENSEARCH_URL
const once = values.once === undefined ? undefined : Number(values.once)
const stop = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort())
process.exit(await demo())

async function demo(): Promise<number> {
  const directory = join(import.meta.dirname, '../../../data/demo')
  rmSync(directory, { recursive: true, force: true })
  mkdirSync(directory, { recursive: true })
  console.log('starting PostgreSQL …')
  const postgres = await startPostgres()
  const redis = await findRedis()
  try {
    const config = configure(directory, { database: postgres.url, redis: redis?.url })
    return await play(config, postgres.url)
  } finally {
    await redis?.stop()
    await postgres.stop()
  }
}

interface Servers {
  readonly database: string
  readonly redis: string | undefined
}

/** pipeline.yaml, without the sinks that have no server here. */
function configure(directory: string, { database, redis }: Servers): Config {
  const absent = 'http://127.0.0.1:9'
  const loaded = loadConfig(join(import.meta.dirname, '../pipeline.yaml'), registry, {
    DATABASE_URL: database,
    SQLITE_PATH: join(directory, 'shop.sqlite'),
    REDIS_URL: redis ?? 'redis://127.0.0.1:9',
    SEARCH_URL: searchUrl ?? absent,
    SEARCH_INDEX: `millrace-demo-${process.pid}`,
  })
  if (!loaded.ok) throw new Error(loaded.faults.map(showFault).join('\n'))
  const wanted = ['local', ...(redis ? ['cache'] : []), ...(searchUrl ? ['search'] : [])]
  const sinks = loaded.config.sinks.filter(({ name }) => wanted.includes(name))
  return { ...loaded.config, sinks, log: { type: 'embedded', path: join(directory, 'log') } }
}

async function play(config: Config, url: string): Promise<number> {
  const client = new Client(url)
  await client.connect()
  await client.query("SET TimeZone = 'UTC'")
  const shop = new Shop(client, Number(values.seed))
  await shop.create()
  await shop.fill()
  const views = await loadViews(config)
  if (!views.ok) throw new Error(views.faults.map(showFault).join('\n'))
  const log = await openEmbeddedLog({ path: config.log.path })
  const say = (name: string, line: string) => console.log(`${name}: ${line}`)
  const parts = openParts(config, { log, ...views, say })
  const latest: Latest = { change: undefined, document: undefined }
  watch(log.reader(views.topology.topics, 'demo'), (record) => (latest.change = record))
  watch(log.reader(['shop.orders'], 'demo'), (record) => (latest.document = record))
  const origin = { startedAt: new Date(), path: config.log.path, mask: new Mask() }
  let changes = 0
  console.log(
    `sinks: ${config.sinks.map(({ name, plugin }) => `${name} (${plugin.type})`).join(', ')}`,
  )
  const display = new Display(
    latest,
    () => changes,
    () => statusOf(parts, origin),
  )
  const running = run(parts, stop.signal)
  running.catch(() => stop.abort())
  const writing = write(shop, () => ++changes)
  let code = 0
  if (once !== undefined) {
    await writing
    code = await verdict(client, config)
    stop.abort()
  }
  await running
  await writing
  display.stop()
  await log.close()
  await client.end()
  console.log(`stopped after ${changes} transactions`)
  return code
}

async function write(shop: Shop, count: () => number): Promise<void> {
  const pauseMs = once === undefined ? 1000 / Number(values.rate) : 0
  for (let i = 0; !stop.signal.aborted && i < (once ?? Number.POSITIVE_INFINITY); i++) {
    await shop.change()
    count()
    if (pauseMs > 0) await new Promise((resolve) => setTimeout(resolve, pauseMs))
  }
}

/** Waits until every sink agrees with Postgres, as long as they come closer; then says so. */
async function verdict(client: Client, config: Config): Promise<number> {
  const want = await expected(client)
  let wrong = 0
  for (const { name, plugin, options } of config.sinks) {
    const found = () => read(plugin.type, options as Options)
    let difference = compare(want, await found())
    const deadline = Date.now() + 60_000
    while (!agrees(difference) && Date.now() < deadline && !stop.signal.aborted) {
      await new Promise((resolve) => setTimeout(resolve, 200))
      difference = compare(want, await found())
    }
    const { missing, extra, different, example } = difference
    const counts = `missing ${missing}, extra ${extra}, different ${different}`
    const of = `${want.size} documents`
    if (agrees(difference)) console.log(`${name} (${plugin.type}): ${of}, all as in Postgres`)
    else console.log(`${name} (${plugin.type}): ${of}, ${counts}, for example order ${example}`)
    if (!agrees(difference)) wrong++
  }
  console.log(wrong === 0 ? 'verdict: every sink agrees with Postgres' : 'verdict: WRONG')
  return wrong === 0 ? 0 : 1
}

interface Options {
  readonly path: string
  readonly url: string
  readonly index: string
}

async function read(type: string, { path, url, index }: Options): Promise<Documents> {
  if (type === 'sqlite') return inSqlite(path)
  return type === 'redis' ? inRedis(url) : inSearch(url, index)
}

async function watch(source: Source<LogRecord>, see: (record: LogRecord) => void): Promise<void> {
  for await (const { records } of source.read(undefined, stop.signal)) {
    const record = records.findLast(({ value }) => value !== null)
    if (record !== undefined) see(record)
  }
}

/** The server that is given, or one of our own where the PATH has one. */
async function findRedis() {
  if (process.env.REDIS_URL) return { url: process.env.REDIS_URL, stop: async () => {} }
  const found = ['redis-server', 'valkey-server'].some((name) =>
    (process.env.PATH ?? '')
      .split(delimiter)
      .some((directory) => isExecutable(join(directory, name))),
  )
  return found ? await startRedis() : undefined
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}
