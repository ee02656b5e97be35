import { randomUUID } from 'node:crypto'
import { MillraceError } from '../../src/core/errors.ts'
import type { Finding } from '../../src/core/plugin.ts'
import { maskUrl } from '../../src/core/secret.ts'
import { RedisClient } from './client.ts'
import { literalHead, stampKey } from './keys.ts'
import type { RedisOptions } from './options.ts'
import { probeScript } from './scripts.ts'
import { readInfo, type ServerInfo } from './server-info.ts'
import { Servers } from './servers.ts'

/** Whether the server answers, is one that we can write to, keeps what it is given, and lets us. */
export async function* check(options: RedisOptions): AsyncGenerator<Finding> {
  const client = new RedisClient(options, 'millrace/check')
  try {
    await client.connect()
    const info = readInfo(String(await client.command('INFO', [])))
    yield { level: 'ok', what: `${info.product} ${info.version} at ${maskUrl(options.url)}` }
    yield* judge(info)
    await probe(options)
    if (options.as === 'json') yield { level: 'ok', what: 'the server has the JSON module' }
    yield { level: 'ok', what: 'the user may run scripts on the keys of this sink' }
  } catch (error) {
    if (!(error instanceof MillraceError)) throw error
    yield { level: 'error', what: error.message, hint: error.hint }
  } finally {
    await client.close()
  }
}

/** What a server's own words say against it. */
export function* judge(info: ServerInfo): Generator<Finding> {
  const { product, version, isCluster, isReplica, evictionPolicy } = info
  if (product === 'Redis' && Number.parseInt(version, 10) < 7) {
    const hint = 'Use Redis 7 or later, or Valkey.'
    yield { level: 'warning', what: `Redis ${version} is older than what is tested`, hint }
  }
  if (isReplica && !isCluster) {
    yield { level: 'error', what: 'the server is a replica', hint: 'Name the primary.' }
  }
  if (evictionPolicy?.startsWith('allkeys') || evictionPolicy?.startsWith('volatile')) {
    const what = `maxmemory-policy is ${evictionPolicy}: documents and versions may be evicted`
    const hint = 'Set it to noeviction, or let applications read evicted documents elsewhere.'
    yield { level: 'warning', what, hint }
  }
}

/** Runs what the sink runs, on keys that do not exist. */
async function probe(options: RedisOptions): Promise<void> {
  const servers = new Servers(options, 'millrace/check')
  try {
    await servers.connect()
    const { as, key, keys, channel } = options
    const prefix = literalHead(key ?? keys?.[0] ?? 'millrace.check:')
    const absent = `${prefix}${randomUUID()}`
    if (as === 'json') await servers.command('JSON.GET', absent)
    const rights = commands[as].flatMap((command) => [command, absent])
    if (channel !== undefined) rights.push('PUBLISH', literalHead(channel))
    await servers.texts([absent, stampKey(absent)])
    await servers.run(probeScript, [absent, stampKey(absent)], rights)
    await servers.scan(absent).next()
  } finally {
    await servers.close()
  }
}

/** What each form runs beside what all do. */
const commands: Readonly<Record<RedisOptions['as'], readonly string[]>> = {
  ...{ string: [], publish: [], invalidate: [] },
  ...{ hash: ['DEL', 'HSET'], json: ['JSON.SET'], stream: ['XADD'] },
  ...{ set: ['SADD', 'SREM'], zset: ['ZADD', 'ZREM'] },
}
