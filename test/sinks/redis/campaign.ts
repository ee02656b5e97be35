import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import type { Test } from 'tap'
import type { RedisServer } from '../../support/servers/redis.ts'
import type { RedisFlavor } from '../../support/servers/redis-binaries.ts'
import { useRedis } from '../../support/servers/use.ts'
import * as campaigns from '../campaign/campaign.ts'
import { type FaultProxy, faultProxy } from './fault-proxy.ts'

export interface CampaignOptions extends campaigns.CampaignOptions {
  readonly flavor?: RedisFlavor
  /** Of the server. */
  readonly args?: readonly string[]
  readonly sink?: Readonly<Record<string, unknown>>
}

interface Scene {
  readonly server: RedisServer
  /** What the server keeps on disk, if its arguments say so. */
  readonly directory: string
  readonly proxy: FaultProxy
  /** An operator's client, past the proxy. */
  readonly operator: Redis
  /** Where the documents are looked for from now on. */
  lookAt(server: RedisServer): Redis
}

export type Campaign = campaigns.Campaign & Scene

/** A campaign through a proxy into a real server of its own. */
export async function begin(t: Test, options: CampaignOptions = {}): Promise<Campaign> {
  const { scene, target } = await prepare(t, options)
  return { ...scene, ...(await campaigns.begin(t, target, options)) }
}

/** The same in a process of its own, which may be stopped. */
export async function beginStoppable(t: Test, options: CampaignOptions = {}) {
  const { scene, target } = await prepare(t, options)
  return { ...scene, ...(await campaigns.beginStoppable(t, target, options)) }
}

async function prepare(t: Test, { flavor, args = [], sink }: CampaignOptions) {
  const directory = mkdtempSync(join(tmpdir(), 'millrace-redis-'))
  t.teardown(() => rmSync(directory, { recursive: true, force: true }))
  const { server } = await useRedis(t, {
    args: ['--dir', directory, ...args],
    ...(flavor && { flavor }),
  })
  const proxy = await faultProxy(t, server!.port)
  const connect = ({ url }: RedisServer) => {
    const client = new Redis(url, { protocol: 2, maxRetriesPerRequest: null })
    client.on('error', () => {})
    t.teardown(() => client.disconnect())
    return client
  }
  const operator = connect(server!)
  let seen: readonly Redis[] = [operator]
  const lookAt = (other: RedisServer) => {
    const client = connect(other)
    seen = [client]
    return client
  }
  const options = { url: proxy.url, key: 'order:{id}', timeoutMs: 2_000, ...sink }
  const target = targetOn(() => seen, options)
  return { scene: { server: server!, directory, proxy, operator, lookAt }, target }
}

/** What lies in some servers, as documents in JSON. */
export function targetOn(
  servers: () => readonly Redis[],
  options: Readonly<Record<string, unknown>>,
): campaigns.CampaignTarget {
  const documents = async () => {
    const found = await Promise.all(
      servers().map((client) => client.eval(lookScript, 0) as Promise<[string, string, string][]>),
    )
    return found.flat()
  }
  return {
    type: 'redis',
    options,
    place: { pipeline: 'shop', name: 'cache' },
    stored: async () => new Map((await documents()).map(([id, , doc]) => [id, doc])),
    versions: async () => new Map((await documents()).map(([id, at]) => [id, BigInt(at)])),
  }
}

/** All documents with their versions, of one moment. */
const lookScript = `
local found = {}
for _, key in ipairs(redis.call('KEYS', 'order:*')) do
  local stamp = redis.call('GET', 'millrace:v{' .. key .. '}') or '0'
  if redis.call('TYPE', key).ok == 'string' then
    found[#found + 1] = {string.sub(key, 7), string.sub(stamp, 1, 20), redis.call('GET', key)}
  end
end
return found`
