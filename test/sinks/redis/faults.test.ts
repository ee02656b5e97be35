import { createServer } from 'node:net'
import t from 'tap'
import { faultOf } from '../../../sinks/redis/faults.ts'
import type { MillraceError } from '../../../src/core/errors.ts'
import { put } from '../../support/records.ts'
import { freePort } from '../../support/servers/ports.ts'
import { useRedis } from '../../support/servers/use.ts'
import { application, apply, openSink, source, startSink } from './target.ts'

const flavors = ['redis7', 'valkey9'] as const

for (const flavor of flavors) {
  t.test(`${flavor}: a flush is noticed by the next commit, and filled again`, async (t) => {
    const { url } = await useRedis(t, { flavor })
    const { sink } = await startSink(t, url)
    await apply(sink, [put(1, { n: 1 })], 'here')
    await application(t, url).flushall()
    await t.rejects(apply(sink, []), { code: 'TARGET_CHANGED' })
    t.equal(await sink.resume(source), undefined)
    await apply(sink, [put(1, { n: 1 })], 'here')
    t.equal(await sink.resume(source), 'here')
  })

  t.test(`${flavor}: a server that came back empty is filled again`, async (t) => {
    const { url, server } = await useRedis(t, { flavor })
    const { sink } = await startSink(t, url)
    await apply(sink, [put(1, { n: 1 })], 'here')
    await server!.restart()
    await t.rejects(apply(sink, [put(2, { n: 2 })]), { code: 'CONNECTION_LOST' })
    t.equal(await sink.resume(source), undefined)
    await apply(sink, [put(1, { n: 1 })])
    t.equal(await application(t, url).get('order:1'), '{"n":1}')
  })

  t.test(
    `${flavor}: a server that came back with its data is not trusted, yet nothing falls`,
    async (t) => {
      const { url, server } = await useRedis(t, { flavor, args: ['--appendonly', 'yes'] })
      const { sink } = await startSink(t, url)
      await apply(sink, [put(1, { n: 2 }, { version: 2 })], 'here')
      await server!.restart()
      t.equal(await sink.resume(source), undefined)
      t.same(await apply(sink, [put(1, { n: 1 }, { version: 1 })], 'early'), ['stale'])
      t.equal(await application(t, url).get('order:1'), '{"n":2}')
      t.equal(await sink.resume(source), 'early')
    },
  )

  t.test(`${flavor}: scripts that the server forgot are sent again`, async (t) => {
    const { url } = await useRedis(t, { flavor })
    const { sink } = await startSink(t, url, { batchKeys: 2 })
    const app = application(t, url)
    const records = (version: number) =>
      Array.from({ length: 9 }, (_, i) => put(i, { i, version }, { version, ordinal: i }))
    await apply(sink, records(1))
    await app.script('FLUSH')
    t.same(await apply(sink, records(2)), Array(9).fill('applied'))
    t.equal(await app.get('order:8'), '{"i":8,"version":2}')
  })

  t.test(`${flavor}: full memory pauses the sink, and it goes on once there is room`, async (t) => {
    const { url } = await useRedis(t, { flavor, args: ['--maxmemory-policy', 'noeviction'] })
    const { sink } = await startSink(t, url)
    const app = application(t, url)
    await app.config('SET', 'maxmemory', '1')
    const blocked = { code: 'TARGET_BLOCKED', message: /OOM.*maxmemory/ }
    await t.rejects(apply(sink, [put(1, { n: 1 })]), blocked)
    await t.rejects(sink.resume(source), blocked)
    await app.config('SET', 'maxmemory', '0')
    await sink.resume(source)
    t.same(await apply(sink, [put(1, { n: 1 })]), ['applied'])
  })

  t.test(`${flavor}: a user without a right is told so, whichever is missing`, async (t) => {
    const { url, port } = await useRedis(t, { flavor })
    const app = application(t, url)
    const user = async (...rules: string[]) => {
      await app.call('ACL', 'SETUSER', 'sink', 'reset', 'on', '>secret', ...rules)
      return openSink(t, `redis://sink:secret@127.0.0.1:${port}`)
    }
    const denied = { code: 'ACCESS_DENIED', message: /^((?!secret).)*$/ }
    const own = ['~order:*', '~millrace:*']
    for (const rules of [['~*'], ['~*', '+@all', '-info'], [...own, '+@all', '-evalsha']]) {
      await t.rejects((await user(...rules)).resume(source), denied, rules.join(' '))
    }
    await t.rejects((await user('~order:*', '+@all')).resume(source), denied, 'not its own keys')
    for (const rules of [
      ['~millrace:*', '+@all'],
      [...own, '+@all', '-type'],
    ]) {
      const sink = await user(...rules)
      await sink.resume(source)
      await t.rejects(apply(sink, [put(1, { n: 1 })]), denied, rules.join(' '))
    }
    const commands = '+info +mget +get +set +type +unlink +eval +evalsha +scan'.split(' ')
    const sink = await user(...own, ...commands)
    await sink.resume(source)
    t.same(await apply(sink, [put(1, { n: 1 })]), ['applied'], 'these are enough')
    await sink.clear(source)
  })

  t.test(`${flavor}: a wrong password, or none, is told so`, async (t) => {
    const { port } = await useRedis(t, { flavor, args: ['--requirepass', 'secret'] })
    for (const userinfo of ['', ':wrong@', 'nobody:wrong@']) {
      const sink = openSink(t, `redis://${userinfo}127.0.0.1:${port}`)
      await t.rejects(sink.resume(source), { code: 'ACCESS_DENIED' }, userinfo)
    }
    await openSink(t, `redis://:secret@127.0.0.1:${port}`).resume(source)
  })

  t.test(`${flavor}: a replica is left, as the primary may be elsewhere`, async (t) => {
    const { url } = await useRedis(t, { flavor })
    const { sink } = await startSink(t, url)
    const app = application(t, url)
    await app.call('REPLICAOF', '127.0.0.1', String(await freePort()))
    await t.rejects(apply(sink, [put(1, { n: 1 })]), { code: 'CONNECTION_LOST' })
    await app.call('REPLICAOF', 'NO', 'ONE')
    await sink.resume(source)
    t.same(await apply(sink, [put(1, { n: 1 })]), ['applied'])
  })

  t.test(`${flavor}: a database that does not exist is not another one`, async (t) => {
    const { port } = await useRedis(t, { flavor, args: ['--databases', '2'] })
    const sink = openSink(t, `redis://127.0.0.1:${port}/7`)
    await t.rejects(sink.resume(source), { code: 'TARGET_MISCONFIGURED' })
  })
}

t.test('a server that is not there is tried again', async (t) => {
  const sink = openSink(t, `redis://127.0.0.1:${await freePort()}`)
  await t.rejects(sink.resume(source), { code: 'CONNECTION_LOST', message: /ECONNREFUSED/ })
})

t.test('a lost connection stays lost until the sink resumes', async (t) => {
  const { url } = await useRedis(t, {})
  const { sink } = await startSink(t, url)
  await apply(sink, [put(1, { n: 1 })], 'here')
  await application(t, url).call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes')
  const lost = { code: 'CONNECTION_LOST' }
  await t.rejects(apply(sink, [put(2, { n: 2 })]), lost)
  await t.rejects(apply(sink, []), lost)
  t.equal(await sink.resume(source), 'here')
  t.same(await apply(sink, [put(2, { n: 2 })]), ['applied'])
})

t.test('a server that does not answer counts as lost', async (t) => {
  const silent = createServer((socket) => socket.on('error', () => {}))
  const port = await freePort()
  await new Promise<void>((resolve) => silent.listen(port, '127.0.0.1', resolve))
  t.teardown(() => silent.close())
  const sink = openSink(t, `redis://127.0.0.1:${port}`, { timeoutMs: 100 })
  await t.rejects(sink.resume(source), { code: 'CONNECTION_LOST', message: /timed out/ })
})

t.test('a checkpoint that we did not write is left alone', async (t) => {
  const { url } = await useRedis(t)
  const key = 'millrace:{shop/cache/orders/0}:checkpoint'
  await application(t, url).set(key, '{"v":2}')
  await t.rejects(openSink(t, url).resume(source), { code: 'TARGET_MISCONFIGURED' })
  t.equal(await application(t, url).get(key), '{"v":2}')
})

t.test('what a server says decides who acts', async (t) => {
  const reply = (message: string) => Object.assign(new Error(message), { name: 'ReplyError' })
  const code = (message: string) => (faultOf(reply(message), 'here') as MillraceError).code
  t.equal(code('LOADING Redis is loading the dataset in memory'), 'TARGET_BUSY')
  t.equal(code('MASTERDOWN Link with MASTER is down'), 'TARGET_BUSY')
  t.equal(code('CLUSTERDOWN Hash slot not served'), 'TARGET_BUSY')
  t.equal(code('ERR max number of clients reached'), 'TARGET_BUSY')
  t.equal(code('MISCONF Errors writing to the AOF file'), 'TARGET_BLOCKED')
  t.equal(code('MOVED 3999 127.0.0.1:6381'), 'TARGET_MISCONFIGURED')
  const bug = reply('ERR user_script:1: attempt to index a nil value script: abc')
  t.equal(faultOf(bug, 'here'), bug, 'a fault of our own script is a bug')
})
