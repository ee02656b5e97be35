import { randomBytes } from 'node:crypto'
import type { Test } from 'tap'
import { type KafkaCluster, type KafkaOptions, startKafka } from './kafka.ts'
import { MissingServer } from './missing.ts'
import { execute, type PostgresOptions, type PostgresServer, startPostgres } from './postgres.ts'
import { ask, type RedisOptions, type RedisServer, startRedis } from './redis.ts'
import {
  type SearchOptions,
  type SearchServer,
  startElasticsearch,
  startOpensearch,
} from './search.ts'
import { missingVariable, type ServerName, urlVariable } from './shared.ts'
import { skipNow } from './skip-now.ts'
import { dropDatabase, sqlClient } from './sql.ts'

/**
 * Servers for one test. Each function gives the server of the whole run if there is one, else
 * starts one that stops with the test; options always make it one of the test's own. A test whose
 * server cannot be had on this machine ends here and is counted as skipped, except under `CI=true`.
 */

export interface TestDatabase {
  /** Of a database that was made for this test, as a superuser. */
  readonly url: string
  readonly database: string
  /** Of the same server's database `postgres`. */
  readonly adminUrl: string
  /**
   * Runs SQL in the test's database, all on one connection. Gives the rows of the last statement.
   */
  query<Row = Record<string, unknown>>(sql: string, values?: readonly unknown[]): Promise<Row[]>
  /** The server, where it is the test's own: `usePostgres(t, {…})`. */
  readonly server?: PostgresServer
}

/**
 * A fresh database on a PostgreSQL with logical replication, dropped after the test with its slots.
 */
export async function usePostgres(t: Test, options?: PostgresOptions): Promise<TestDatabase> {
  const shared = options === undefined ? sharedUrl('postgres') : undefined
  const server = shared ? undefined : await own(t, 'postgres', () => startPostgres(options))
  const adminUrl = shared ?? server!.url
  const database = `test_${randomBytes(6).toString('hex')}`
  await execute(adminUrl, `create database ${database}`)
  const url = new URL(`/${database}`, adminUrl).href
  const client = sqlClient(url)
  t.teardown(async () => {
    await client.end()
    if (server === undefined) await dropDatabase(adminUrl, database)
  })
  return { url, database, adminUrl, query: client.query, ...(server && { server }) }
}

export interface TestRedis {
  /** With the number of a logical database that is empty and nobody else's. */
  readonly url: string
  readonly port: number
  readonly db: number
  /** The server, where it is the test's own: `useRedis(t, {…})`. */
  readonly server?: RedisServer
}

/** An empty logical database of a Redis. A test that flushes or stops the server takes its own. */
export async function useRedis(t: Test, options?: RedisOptions): Promise<TestRedis> {
  const shared = options === undefined ? sharedUrl('redis') : undefined
  if (shared === undefined) {
    const server = await own(t, 'redis', () => startRedis(options))
    return { url: `${server.url}/0`, port: server.port, db: 0, server }
  }
  const port = Number(new URL(shared).port)
  // Database 0 counts the ones that were handed out; each is used once.
  const db = Number((await ask(port, 'INCR millrace-test:databases'))?.slice(1))
  return { url: `${shared}/${db}`, port, db }
}

export interface TestSearch {
  readonly url: string
  /** The server, where it is the test's own. */
  readonly server?: SearchServer
}

/** An Elasticsearch. Tests share it, so each gives its indexes names of its own. */
export function useElasticsearch(
  t: Test,
  options?: Parameters<typeof startElasticsearch>[0],
): Promise<TestSearch> {
  return useSearch(t, 'elasticsearch', () => startElasticsearch(options), options)
}

/** An OpenSearch. Tests share it, so each gives its indexes names of its own. */
export function useOpensearch(
  t: Test,
  options?: Parameters<typeof startOpensearch>[0],
): Promise<TestSearch> {
  return useSearch(t, 'opensearch', () => startOpensearch(options), options)
}

async function useSearch(
  t: Test,
  name: 'elasticsearch' | 'opensearch',
  start: () => Promise<SearchServer>,
  options?: SearchOptions,
): Promise<TestSearch> {
  const shared = options === undefined ? sharedUrl(name) : undefined
  if (shared !== undefined) return { url: shared }
  const server = await own(t, name, start)
  return { url: server.url, server }
}

export interface TestKafka {
  /** The brokers' addresses, separated by commas. */
  readonly bootstrap: string
  /** For names of topics, groups and writers: nobody else begins theirs so. */
  readonly prefix: string
  /** The cluster, where it is the test's own: `useKafka(t, {…})`. */
  readonly cluster?: KafkaCluster
}

/** A Kafka. Tests share it, so each begins its names with a prefix of its own. */
export async function useKafka(t: Test, options?: KafkaOptions): Promise<TestKafka> {
  const prefix = `t${randomBytes(4).toString('hex')}`
  const shared = options === undefined ? sharedUrl('kafka') : undefined
  if (shared !== undefined) return { bootstrap: shared, prefix }
  const cluster = await own(t, 'kafka', () => startKafka(options))
  return { bootstrap: cluster.bootstrap, prefix, cluster }
}

function sharedUrl(name: ServerName): string | undefined {
  return process.env[urlVariable(name)] || undefined
}

async function own<Server extends { stop(): Promise<void> }>(
  t: Test,
  name: ServerName,
  start: () => Promise<Server>,
): Promise<Server> {
  try {
    const known = process.env[missingVariable(name)]
    if (known) throw new MissingServer(known)
    const server = await start()
    t.teardown(() => server.stop())
    return server
  } catch (error) {
    if (!(error instanceof MissingServer) || process.env.CI === 'true') throw error
    return skipNow(t, error.message)
  }
}
