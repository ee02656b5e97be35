import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import t from 'tap'
import { findJdk } from './java.ts'
import { MissingServer } from './missing.ts'
import { ask } from './redis.ts'
import { useElasticsearch, useOpensearch, useRedis } from './use.ts'

t.test('a test whose server cannot be had is skipped and says why', async (t) => {
  const { code, output } = await runFixture('needs-redis.ts', { CI: '' })
  t.equal(code, 0)
  t.match(output, '# SKIP There is no Redis here.')
  t.match(output, /^ok 2 - needs nothing/m)
})

t.test('a file whose server cannot be had is skipped and says why', async (t) => {
  const { code, output } = await runFixture('all-needs-redis.ts', { CI: '' })
  t.equal(code, 0)
  t.match(output, /^1\.\.0 # There is no Redis here\./m)
})

t.test('under CI a server that cannot be had is a failure', async (t) => {
  for (const fixture of ['needs-redis.ts', 'all-needs-redis.ts']) {
    const { code, output } = await runFixture(fixture, { CI: 'true' })
    t.not(code, 0)
    t.match(output, 'There is no Redis here.')
  }
})

t.test('without a JDK the reason is a sentence', async (t) => {
  const error = await findJdk(21, { PATH: '' }, join(import.meta.dirname, 'nowhere')).catch(
    (error: unknown) => error,
  )
  t.type(error, MissingServer)
  t.match((error as Error).message, /^There is no JDK 21 or newer in .*\.$/)
})

t.test('each use of a Redis begins empty and alone', async (t) => {
  const [one, two] = [await useRedis(t), await useRedis(t)]
  t.not(one.url, two.url)
  t.equal(await ask(one.port, 'PING'), '+PONG')
})

t.test('Elasticsearch and OpenSearch answer as what they are', async (t) => {
  const [elasticsearch, opensearch] = [await useElasticsearch(t), await useOpensearch(t)]
  t.match(await getJson(elasticsearch.url), { tagline: 'You Know, for Search' })
  t.match(await getJson(opensearch.url), { version: { distribution: 'opensearch' } })
})

async function getJson(url: string): Promise<unknown> {
  return (await fetch(url)).json()
}

async function runFixture(name: string, env: Readonly<Record<string, string>>) {
  const file = join(import.meta.dirname, 'fixtures', name)
  const missing = {
    MILLRACE_TEST_REDIS_URL: '',
    MILLRACE_TEST_REDIS_MISSING: 'There is no Redis here.',
  }
  const child = spawn(process.execPath, [file], {
    env: { ...process.env, ...missing, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const exited = new Promise<number | null>((resolve) => child.once('close', resolve))
  const [output, errors] = await Promise.all([text(child.stdout), text(child.stderr)])
  return { code: await exited, output: output + errors }
}
