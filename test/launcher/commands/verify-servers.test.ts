import { randomBytes } from 'node:crypto'
import { Redis } from 'ioredis'
import t, { type Test, test } from 'tap'
import type { Explanation } from '../../../src/launcher/inspect/explain-key.ts'
import type { Verified } from '../../../src/launcher/inspect/verify.ts'
import { useElasticsearch, useRedis } from '../../support/servers/use.ts'
import { standInCli, start } from '../child.ts'

t.setTimeout(300_000) // Two cores that also compile make a server slow.

test('a Redis is verified and mended', async (t) => {
  const { url } = await useRedis(t)
  const { verify } = await begin(t, `{type: redis, url: '${url}', key: 'n:{id}', from: c.numbers}`)
  t.match(await verify(), { documents: { topic: 20, sink: 20 }, differences: [] })
  const application = new Redis(url, { protocol: 2 })
  t.teardown(() => application.disconnect())
  await application.del('n:1')
  await application.set('n:2', '{"id":0}')
  const stamp = (await application.get('millrace:v{n:3}'))!
  await application.mset({ 'n:99': '{}', 'millrace:v{n:99}': stamp })
  const { differences } = await verify('--repair')
  t.match(differences.sort(byId), [
    { id: 'n:1', kind: 'missing', mended: true },
    { id: 'n:2', kind: 'different', mended: true },
    { id: 'n:99', kind: 'extra', mended: true },
  ])
  t.same(await application.mget('n:1', 'n:2', 'n:99'), ['{"id":1}', '{"id":2}', null])
  t.match(await verify(), { differences: [] })
})

test('members of a set in Redis are verified and mended', async (t) => {
  const { url } = await useRedis(t)
  const { verify, run } = await begin(
    t,
    `{type: redis, url: '${url}', as: zset, key: recent, score: id, from: c.numbers}`,
  )
  t.match(await verify(), { documents: { topic: 20, sink: 20 }, differences: [] })
  const application = new Redis(url, { protocol: 2 })
  t.teardown(() => application.disconnect())
  await application.zrem('recent', '1')
  await application.zadd('recent', 7, '2')
  const { differences } = await verify('--repair')
  t.match(differences.sort(byId), [
    { id: 'millrace:m6{recent}1', kind: 'missing', mended: true },
    { id: 'millrace:m6{recent}2', kind: 'different', mended: true },
  ])
  t.same(await application.zmscore('recent', '1', '2'), ['1', '2'])
  const explained = JSON.parse((await run(['explain', 'p.yaml', 'it', '7'])).output) as Explanation
  t.match(explained, { id: 'millrace:m6{recent}7', verdict: 'agree', others: [] })
})

test('entries of a stream in Redis are verified; what is gone cannot be put back', async (t) => {
  const { url } = await useRedis(t)
  const to = `{type: redis, url: '${url}', as: stream, key: log, from: c.numbers}`
  const { verify } = await begin(t, to)
  t.match(await verify(), { documents: { topic: 20, sink: 20 }, differences: [] })
  const application = new Redis(url, { protocol: 2 })
  t.teardown(() => application.disconnect())
  const [[id]] = (await application.xrange('log', '-', '+', 'COUNT', 1)) as [[string, string[]]]
  await application.xdel('log', id)
  const { differences } = await verify('--repair')
  t.match(differences, [{ id: `log ${id}`, kind: 'missing', mended: false, note: /refill/ }])
})

test('an invalidation in Redis that never was is found, and made up for', async (t) => {
  const { url } = await useRedis(t)
  const to = `{type: redis, url: '${url}', as: invalidate, keys: ['n:{id}'], from: c.numbers}`
  const { verify, run } = await begin(t, to)
  t.match(await verify(), { documents: { topic: 20, sink: 20 }, differences: [] })
  const application = new Redis(url, { protocol: 2 })
  t.teardown(() => application.disconnect())
  await application.mset({ 'n:1': 'fresh', 'n:2': 'stale' })
  t.match(await verify(), { differences: [] }, 'what readers fill in is theirs')
  const stamp = (await application.get('millrace:v{n:2}'))!
  await application.set('millrace:v{n:2}', '0'.repeat(20) + stamp.slice(20))
  t.match(JSON.parse((await run(['explain', 'p.yaml', 'it', '2'])).output), { verdict: 'differ' })
  const { differences } = await verify('--repair')
  t.match(differences, [{ id: 'n:2', kind: 'different', mended: true }])
  t.same(await application.mget('n:1', 'n:2'), ['fresh', null])
})

test('an Elasticsearch is verified and mended', async (t) => {
  const { url } = await useElasticsearch(t)
  const index = `verify-${randomBytes(6).toString('hex')}`
  const { verify } = await begin(t, sink(url, index))
  t.match(await verify(), { documents: { topic: 20, sink: 20 }, differences: [] })
  const ask = (method: string, path: string, body?: object) =>
    fetch(`${url}/${index}/${path}`, {
      ...{ method, headers: { 'content-type': 'application/json' } },
      ...(body && { body: JSON.stringify(body) }),
    })
  await ask('DELETE', '_doc/1?refresh=true')
  await ask('PUT', '_doc/2?version=2&version_type=external_gte', { id: 0 })
  await ask('PUT', '_doc/99?version=7&version_type=external', {})
  await ask('POST', '_refresh')
  const { differences } = await verify('--repair')
  t.match(differences.sort(byId), [
    { id: '1', kind: 'missing', mended: false, note: /remembers a newer delete/ },
    { id: '2', kind: 'different', mended: true },
    { id: '99', kind: 'extra', mended: true },
  ])
  const { _source } = (await (await ask('GET', '_doc/2')).json()) as { _source: object }
  t.same(_source, { id: 2 })
  t.equal((await ask('GET', '_doc/99')).status, 404)
})

test('what Elasticsearch refused is no riddle: the letter is named', async (t) => {
  const { url } = await useElasticsearch(t)
  const index = `verify-${randomBytes(6).toString('hex')}`
  const { verify, run } = await begin(t, sink(url, index, ', mapping: {id: {type: boolean}}'))
  const { differences } = await verify('--repair')
  t.equal(differences.length, 20)
  t.match(differences[0], { kind: 'refused', mended: false, note: /^the sink refuses it: see/ })
  const explained = JSON.parse((await run(['explain', 'p.yaml', 'it', '7'])).output) as Explanation
  t.match(explained, { verdict: 'refused', document: null, letters: [{ state: 'open' }] })
  t.match(explained.letters[0]?.code, /document_parsing_exception|mapper_parsing_exception/)
})

function sink(url: string, index: string, more = ''): string {
  const settings = '{number_of_shards: 2, number_of_replicas: 0}'
  return `{type: elasticsearch, url: '${url}', index: ${index}, settings: ${settings}, from: c.numbers${more}}`
}

/** A pipeline of its own name, so that it shares no checkpoint with other tests. */
async function begin(t: Test, sink: string) {
  const name = `v${randomBytes(4).toString('hex')}`
  const text = `name: ${name}\nconnectors:\n  c: {type: counter, until: 20}\nsinks:\n  it: ${sink}\n`
  const folder = t.testdir({ 'p.yaml': text })
  const pipeline = start(standInCli, ['p.yaml'], { cwd: folder })
  t.teardown(async () => {
    pipeline.kill('SIGKILL')
    await pipeline.ended
  })
  await pipeline.said(/it: running/)
  const run = async (args: readonly string[]) => {
    const { output, ended } = start(standInCli, args, { cwd: folder })
    const code = await ended
    return { code, output: output() }
  }
  const verify = async (...more: readonly string[]) => {
    const { output } = await run(['verify', 'p.yaml', 'it', ...more])
    const line = output.split('\n').find((each) => each.startsWith('{')) ?? output
    return JSON.parse(line) as Verified & { readonly differences: { id: string }[] }
  }
  while ((await verify()).documents.topic !== 20);
  return { run, verify }
}

function byId(a: { readonly id: string }, b: { readonly id: string }): number {
  return a.id < b.id ? -1 : 1
}
