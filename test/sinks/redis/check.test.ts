import t, { type Test } from 'tap'
import { judge } from '../../../sinks/redis/check.ts'
import { redis } from '../../../sinks/redis/index.ts'
import { readInfo } from '../../../sinks/redis/server-info.ts'
import type { Finding } from '../../../src/core/plugin.ts'
import { secrets } from '../../../src/core/secret.ts'
import { freePort } from '../../support/servers/ports.ts'
import { useRedis } from '../../support/servers/use.ts'
import { application } from './target.ts'

async function findings(url: string, key?: string): Promise<Finding[]> {
  const found: Finding[] = []
  for await (const finding of redis.check(redis.options.parse({ url, key }))) found.push(finding)
  return found
}

t.test('a server that will do is found in order, and left as it was', async (t) => {
  const { url } = await useRedis(t, { args: ['--maxmemory-policy', 'noeviction'] })
  const found = await findings(url, 'order:{id}')
  t.match(found, [
    { level: 'ok', what: /7\.|8\.|9\./ },
    { level: 'ok', what: /scripts/ },
  ])
  t.equal(found.length, 2)
  t.equal(await application(t, url).dbsize(), 0)
})

t.test('eviction, replicas and missing rights are found', async (t) => {
  const { url, port } = await useRedis(t, { args: ['--maxmemory-policy', 'allkeys-lru'] })
  t.match((await findings(url))[1], { level: 'warning', what: /allkeys-lru/ })
  const app = application(t, url)
  await app.call('ACL', 'SETUSER', 'some', 'on', '>pw', '~other:*', '+@all')
  t.match((await findings(`redis://some:pw@127.0.0.1:${port}`, 'order:{}')).at(-1), {
    level: 'error',
    hint: /right/,
  })
  await app.call('REPLICAOF', '127.0.0.1', String(await freePort()))
  const replica = await findings(url)
  t.match(
    replica.find(({ level }) => level === 'error'),
    { what: /replica/ },
  )
})

for (const flavor of ['redis7', 'redis8', 'valkey9'] as const) {
  t.test(`${flavor}: a right that one form needs is found before it is missed`, async (t) => {
    const { url, port } = await useRedis(t, { flavor })
    const common = '+info +mget +get +set +type +unlink +pexpire +eval +evalsha +scan'.split(' ')
    const keys = ['~log', '~log*', '~millrace*']
    const app = application(t, url)
    await app.call('ACL', 'SETUSER', 'some', 'on', '>pw', ...keys, ...common)
    const some = `redis://some:pw@127.0.0.1:${port}`
    const last = async (as: string, more: object = { key: 'log' }) => {
      const found: Finding[] = []
      const options = redis.options.parse({ url: some, as, ...more })
      for await (const finding of redis.check(options)) found.push(finding)
      return found.at(-1)
    }
    t.match(await last('string', { key: 'log:{}' }), { level: 'ok' })
    t.match(await last('stream'), { level: 'error', what: /may not run XADD for log/ })
    t.match(await last('set'), { level: 'error', what: /SADD/ })
    t.match(await last('publish', { channel: 'bell' }), {
      level: 'error',
      what: /PUBLISH for bell/,
    })
    await app.call('ACL', 'SETUSER', 'some', '+xadd', '+publish', '&bell')
    t.match(await last('stream'), { level: 'ok' })
    t.match(await last('publish', { channel: 'bell' }), { level: 'ok' })
    t.same(await app.keys('*'), [])
  })
}

t.test('a server that is not there is an error, without its password', async (t) => {
  const found = await findings(`redis://user:hush@127.0.0.1:${await freePort()}`)
  t.match(found, [{ level: 'error', what: /ECONNREFUSED/ }])
  t.notMatch(JSON.stringify(found), /hush/)
})

t.test('old versions are found by what INFO says', async (t) => {
  const levels = (text: string) => [...judge(readInfo(text))].map(({ level }) => level)
  t.same(levels('redis_version:6.2.14\r\nredis_mode:standalone\r\n'), ['warning'])
  t.same(levels('redis_version:7.2.4\r\nvalkey_version:9.1.2\r\nserver_mode:cluster\r\n'), [])
  t.same(levels('redis_version:8.2.3\r\nredis_mode:standalone\r\nrole:master\r\n'), [])
})

t.test('options are checked, and the address is a secret', async (t) => {
  const faults = (options: object) => {
    const parsed = redis.options.safeParse({ url: 'redis://here', ...options })
    return parsed.error?.issues.map(({ path, message }) => `${path.join('.')}: ${message}`)
  }
  t.equal(faults({}), undefined)
  t.match(faults({ key: '{id}' }), [/^key: .*must begin with a text/])
  t.match(faults({ keys: 'x' }), [/keys/])
  t.match(faults({ url: 'http://here' }), [/^url: /])
  t.match(faults({ url: 'redis://here?enableOfflineQueue=true' }), [/^url: .*query/])
  t.match(faults({ ttlMs: 0 }), [/^ttlMs: /])
  t.match(faults({ as: 'invalidate' }), [/^keys: must name the keys/])
  t.match(faults({ as: 'invalidate', keys: ['{id}'] }), [/^keys.0: .*must begin with a text/])
  t.match(faults({ as: 'invalidate', keys: ['a:{id}'], ttlMs: 5 }), [/^ttlMs: means nothing/])
  t.match(faults({ as: 'zset', key: 'a:{x}' }), [/^score: /])
  t.match(faults({ as: 'publish' }), [/^channel: /])
  t.match(faults({ sentinels: ['here'] }), [/^sentinels.0: .*port/])
  describesAll(t)
})

function describesAll(t: Test): void {
  const { shape } = redis.options as unknown as {
    shape: Record<string, { description?: string } & Parameters<typeof secrets.has>[0]>
  }
  for (const [name, option] of Object.entries(shape)) t.ok(option.description, name)
  t.ok(secrets.has(shape.url!))
}
