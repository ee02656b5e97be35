import type { Test } from 'tap'
import { canonicalJson } from '../../../src/core/canonical-json.ts'
import { sqlClient } from '../../support/servers/sql.ts'
import { type TestDatabase, usePostgres } from '../../support/servers/use.ts'
import * as campaigns from '../campaign/campaign.ts'
import { type FaultProxy, faultProxy } from './fault-proxy.ts'
import { context } from './target.ts'

export interface CampaignOptions extends campaigns.CampaignOptions {
  readonly sink?: Readonly<Record<string, unknown>>
  /** Takes a server of its own, which may be restarted. */
  readonly ownServer?: boolean
  /** Signs in as a user with no more rights than it needs. */
  readonly asUser?: boolean
}

interface Scene extends TestDatabase {
  readonly proxy: FaultProxy
  /** The user that the sink signs in as. */
  readonly user: string
}

export type Campaign = campaigns.Campaign & Scene

/** A campaign through a proxy into a real database. */
export async function begin(t: Test, options: CampaignOptions = {}): Promise<Campaign> {
  const { scene, target } = await prepare(t, options)
  return { ...scene, ...(await campaigns.begin(t, target, options)) }
}

/** The same in a process of its own, which may be stopped. */
export async function beginStoppable(t: Test, options: CampaignOptions = {}) {
  const { scene, target } = await prepare(t, options)
  return { ...scene, ...(await campaigns.beginStoppable(t, target, options)) }
}

async function prepare(t: Test, { sink, ownServer, asUser }: CampaignOptions) {
  const database = await usePostgres(t, ownServer ? {} : undefined)
  const { query } = database
  const user = asUser ? `u${database.database}` : 'postgres'
  const url = new URL(database.url)
  if (asUser) {
    await query(`CREATE ROLE ${user} LOGIN PASSWORD 'x'; CREATE SCHEMA target`)
    await query(`GRANT ALL ON SCHEMA target TO ${user}`)
    t.teardown(() => query(`DROP OWNED BY ${user}; DROP ROLE ${user}`).catch(() => {}))
    url.username = user
    url.password = 'x'
  } else await query('CREATE SCHEMA target')
  const proxy = await faultProxy(t, url.href)
  const live = 'target.orders'
  // Of its own: a transaction of the test's must not hold it up.
  const seen = sqlClient(database.url)
  t.teardown(() => seen.end())
  const target: campaigns.CampaignTarget = {
    type: 'postgres',
    options: { type: 'postgres', url: proxy.url, schema: 'target', timeoutMs: 2_000, ...sink },
    place: context,
    async stored() {
      const text = `SELECT _id, _doc::text AS doc FROM ${live}`
      const rows = await seen.query<{ _id: string; doc: string }>(text).catch(() => [])
      return new Map(rows.map(({ _id, doc }) => [_id, canonicalJson(doc)]))
    },
    async versions() {
      const text = `SELECT _id, _version::text AS version FROM ${live}`
      const rows = await seen.query<{ _id: string; version: string }>(text)
      return new Map(rows.map(({ _id, version }) => [_id, BigInt(version)]))
    },
  }
  return { scene: { ...database, proxy, user }, target }
}
