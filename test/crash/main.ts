import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { Shop } from '../../config/orders/demo/shop.ts'
import { MissingServer } from '../support/servers/missing.ts'
import { startPostgres } from '../support/servers/postgres.ts'
import { startRedis } from '../support/servers/redis.ts'
import { startElasticsearch, startOpensearch } from '../support/servers/search.ts'
import { makeArchive } from './archive-database.ts'
import { Archivist } from './archivist.ts'
import { Campaign, outputPath } from './campaign.ts'
import { configure } from './configuration.ts'
import { Gate } from './gate.ts'
import { Load, type Writer } from './load.ts'
import { cutTail, everySecond, Mortal } from './mortal.ts'
import { Observer } from './observer.ts'
import { isPhase, phases } from './plan.ts'
import { Random } from './random.ts'
import { isSabotage, sabotages } from './sabotage.ts'
import { setups } from './setup.ts'
import { makeShop } from './shop-database.ts'
import { heldOf, redisTarget, searchTarget, sqliteTarget } from './targets.ts'

const usage = `npm run crash -- [--rounds 30] [--seed 1] [--kinds ${phases.join(',')}]
                 [--log embedded|kafka] [--search opensearch|elasticsearch|none]
                 [--patience SECONDS] [--keep] [--sabotage ${sabotages.join('|')}]

Runs the program of config/orders, with a second database, under load on real servers, kills it in
every phase, and compares its sinks with Postgres. On Kafka two instances run, of which one or both
are killed; one that is killed alone as it follows the changes was suspended before. Exits with 1
unless nothing was lost, nothing wrong, and nothing fell back; with 3 if a server cannot be had.`

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '30' },
    seed: { type: 'string', default: '1' },
    kinds: { type: 'string', default: phases.join(',') },
    log: { type: 'string', default: 'embedded' },
    search: { type: 'string' },
    sabotage: { type: 'string' },
    patience: { type: 'string', default: '90' },
    keep: { type: 'boolean', default: false },
    help: { type: 'boolean', short: 'h', default: false },
  },
})
const { sabotage } = values
const setUp = setups[values.log as keyof typeof setups] as (typeof setups)['kafka'] | undefined
/** On Kafka there is none by default: a broker is enough for a small machine. */
const engine = values.search ?? (values.log === 'kafka' ? 'none' : 'opensearch')
const searches = engine !== 'none'
const known = sabotage === undefined || isSabotage(sabotage)
const kinds = values.kinds.split(',').filter(isPhase)
const valid =
  known &&
  setUp !== undefined &&
  kinds.length === values.kinds.split(',').length &&
  Number(values.rounds) > 0 &&
  Number.isInteger(Number(values.seed))
if (values.help || !valid || !['opensearch', 'elasticsearch', 'none'].includes(engine)) {
  console.log(usage)
  process.exit(values.help ? 0 : 2)
}
/** How often each sink is looked at: as often as two cores can bear beside everything else. */
const everyMs = { local: 250, cache: 500, search: 1_000 }
/** Connections that write. */
const shopWriters = 4
const archiveWriters = 1

process.exit(await main())

async function main(): Promise<number> {
  const directory = mkdtempSync(join(tmpdir(), 'millrace-crash-'))
  const stack = new AsyncDisposableStack()
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => stack.disposeAsync().finally(() => process.exit(1)))
  }
  const began = performance.now()
  try {
    const campaign = await prepare(directory, stack)
    const tally = await campaign.run()
    console.log(`${Math.round((performance.now() - began) / 1000)} s`)
    for (const line of tally.lines) console.log(line)
    return tally.isClean ? 0 : 1
  } catch (error) {
    if (!(error instanceof MissingServer)) throw error
    console.error(`missing: ${error.message}`)
    return 3
  } finally {
    await stack.disposeAsync()
    if (values.keep) console.error(`kept: ${directory}`)
    else rmSync(directory, { recursive: true, force: true })
  }
}

async function prepare(directory: string, stack: AsyncDisposableStack): Promise<Campaign> {
  const redisFolder = join(directory, 'redis')
  mkdirSync(redisFolder)
  console.log(`starting PostgreSQL, Redis${searches ? `, ${engine}` : ''}, ${values.log} log …`)
  const [setup, postgres, redis, search] = await Promise.all([
    keep(stack, setUp!(directory)),
    keep(stack, startPostgres()),
    keep(stack, startRedis({ args: everySecond(redisFolder) })),
    searches ? keep(stack, startSearch()) : undefined,
  ])
  const archiveUrl = await postgres.createDatabase('archive')
  const subjects = [await makeShop(postgres.url), await makeArchive(archiveUrl)]
  for (const { client } of subjects) stack.defer(() => client.end())
  const sinks = ['local', 'cache', ...(search ? ['search'] : [])]
  const { log, partitions, streamMs } = setup
  const configured = configure(directory, sinks, setup.configuration)
  const gates = await Promise.all(
    [redis, ...(search ? [search] : [])].map(({ url }) => Gate.before(url)),
  )
  const observers = subjects.flatMap((subject) => [
    new Observer(
      sqliteTarget(heldOf(subject, 'local', partitions), configured.sqlitePath),
      everyMs.local,
    ),
    new Observer(redisTarget(heldOf(subject, 'cache', partitions), redis.url), everyMs.cache),
    ...(search
      ? [
          new Observer(
            searchTarget(heldOf(subject, 'search', partitions), search.url),
            everyMs.search,
          ),
        ]
      : []),
  ])
  for (const observer of observers) stack.defer(() => observer.stop())
  const seed = Number(values.seed)
  const observersOf = (sink: string) =>
    observers.filter(({ target }) => target.name.startsWith(sink))
  const tails = new Random(seed)
  const mortals = [
    new Mortal({
      ...{ name: 'Redis', server: redis, observers: observersOf('cache') },
      loses: () => cutTail(redisFolder, tails),
    }),
    ...(search
      ? [new Mortal({ name: engine, server: search, observers: observersOf('search') })]
      : []),
  ]
  const urls = { db: postgres.url, archive: archiveUrl }
  const variables = {
    DATABASE_URL: postgres.url,
    ARCHIVE_URL: archiveUrl,
    SQLITE_PATH: configured.sqlitePath,
    REDIS_URL: gates[0]!.url,
    SEARCH_URL: gates[1]?.url ?? '',
  }
  return new Campaign({
    ...{ rounds: Number(values.rounds), phases: kinds, random: new Random(seed), subjects, urls },
    ...{ load: new Load(writers(urls), seed), gates, mortals, observers, configured },
    ...{ patienceMs: Number(values.patience) * 1000, say: (line: string) => console.log(line) },
    ...{ log, streamMs },
    commands: setup.instances.map((instance) => ({
      ...{ sabotage, output: outputPath(directory) },
      env: { ...variables, ...instance },
    })),
  })
}

function writers({ db, archive }: { readonly db: string; readonly archive: string }): Writer[] {
  const shop: Writer = { url: db, open: (client, seed) => new Shop(client, seed) }
  const papers: Writer = { url: archive, open: (client, seed) => new Archivist(client, seed) }
  return [
    ...new Array<Writer>(shopWriters).fill(shop),
    ...new Array<Writer>(archiveWriters).fill(papers),
  ]
}

async function keep<Server extends { stop(): Promise<void> }>(
  stack: AsyncDisposableStack,
  starting: Promise<Server>,
): Promise<Server> {
  const server = await starting
  stack.defer(() => server.stop())
  return server
}

function startSearch() {
  return engine === 'elasticsearch' ? startElasticsearch() : startOpensearch()
}
