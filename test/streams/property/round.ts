import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tap'
import type { LogRecord } from '../../../src/core/record.ts'
import type { EmbeddedLog } from '../../../src/log/embedded.ts'
import { Random } from '../../crash/random.ts'
import { begin, type Running } from '../../e2e/pipeline.ts'
import { dropDatabase, type SqlClient, sqlClient } from '../../support/servers/sql.ts'
import { canonical } from './canonical.ts'
import type { Told } from './differences.ts'
import { createTable, randomTables } from './schema.ts'
import { insert, manyRows } from './statements.ts'
import { type RandomView, randomViews } from './views.ts'
import { type Moment, write, writeAlone } from './writers.ts'

export interface Round {
  /** Decides about tables, views and what the writers do, but not how that falls together. */
  readonly seed: number
  readonly commits: number
  /** Of a server that is there. */
  readonly adminUrl: string
}

export interface Played {
  readonly moments: ReadonlyMap<number, Moment>
  readonly told: Told
  /** To be read by a person, when something is wrong. */
  readonly configuration: string
}

/**
 * Runs a pipeline with random views over a random database while writers are at work, and gives
 * what its topics told beside what the database said at each commit.
 */
export async function play(t: Test, { seed, commits, adminUrl }: Round): Promise<Played> {
  const random = new Random(seed)
  const tables = randomTables(random)
  const views = randomViews(tables, random, 4)
  const database = `views_${seed}_${process.pid}`
  const admin = sqlClient(adminUrl)
  await admin.query(`create database ${database}`)
  const url = new URL(`/${database}`, adminUrl).href
  const client = sqlClient(url)
  const folder = mkdtempSync(join(tmpdir(), 'millrace-views-'))
  try {
    await client.query('create table commits (n int primary key)')
    for (const table of tables) await client.query(createTable(table, random))
    for (const table of tables) await client.query(insert(table, random)).catch(() => {})
    for (const { create } of views) await client.query(create)
    const configuration = configurationOf(views)
    writeFileSync(join(folder, 'pipeline.yaml'), configuration)
    const ask = asking(client)
    const env = { DATABASE_URL: url, SLOT: database }
    const first = await begin(t, { folder, env })
    await first.until('db', ({ phase }) => phase === 'streaming')
    const moments = new Map<number, Moment>()
    // The first commit is alone: it shows what the snapshot has come to.
    await writeAlone({ moments, views, ask }, client, ['select'])
    const writing = { url, tables, views, seed, writers: 4, ask, moments }
    await write({ ...writing, commits: commits >> 1 })
    // What a restart reads again changes nothing.
    await first.stop()
    const second = await begin(t, { folder, env })
    await write({ ...writing, seed: seed + 1, commits })
    await writeAlone({ moments, views, ask }, client, manyRows(tables).flat())
    const told = await readAll(second, views, moments.size)
    await second.stop()
    return { moments, told, configuration }
  } finally {
    await client.end()
    await admin.end()
    await dropDatabase(adminUrl, database)
    rmSync(folder, { recursive: true, force: true })
  }
}

function configurationOf(views: readonly RandomView[]): string {
  const sections = Object.fromEntries(views.map(({ name, spec }) => [name, spec]))
  return `name: shop
connectors:
  db: { type: postgres, url: '\${DATABASE_URL}', slot.name: '\${SLOT}', tables: ['public.*'] }
views: ${JSON.stringify(sections, null, 1)}
`
}

function asking(client: SqlClient) {
  return async ({ ask }: RandomView) => {
    const rows = await client.query<{ key: string; document: string }>(ask)
    return new Map(rows.map(({ key, document }) => [canonical(key), canonical(document)]))
  }
}

async function readAll(
  { log, until }: Running,
  views: readonly RandomView[],
  commits: number,
): Promise<Told> {
  const topic = 'db.public.commits'
  const marks = await read(log, topic, (records) => records.length >= commits)
  // The views are through with the last commit once they have read on behind it.
  const through = await until('views', ({ pending, state }) => {
    return state === 'failed' || pending === 0
  })
  if (through.state === 'failed') throw new Error(through.reason ?? 'the views have failed')
  const told = new Map<string, readonly LogRecord[]>()
  for (const { name } of views) told.set(name, await read(log, `shop.${name}`))
  return { commits: marks, views: told }
}

/** Every record that is there, or that comes until there are enough. */
async function read(
  log: EmbeddedLog,
  topic: string,
  isEnough: (records: readonly LogRecord[]) => boolean = () => true,
): Promise<readonly LogRecord[]> {
  const records: LogRecord[] = []
  const { topics } = await log.describe()
  const isEmpty = !topics.some((each) => each.topic === topic && each.sequence > 0n)
  if (isEmpty && isEnough(records)) return records
  for await (const batch of log.reader([topic], '').read(undefined, new AbortController().signal)) {
    records.push(...batch.records)
    if (batch.atEnd && isEnough(records)) break
  }
  return records
}
