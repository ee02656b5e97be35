import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'
import { usePostgres } from '../support/servers/use.ts'
import { begin, until } from './pipeline.ts'

const example = (name: string) =>
  readFileSync(new URL(`../../config/outbox/${name}`, import.meta.url), 'utf8')

test('the example of an outbox brings events of both kinds into one topic', async (t) => {
  const { url, query } = await usePostgres(t)
  await query(example('schema.sql'))
  const text = example('pipeline.yaml').replace('../../data/', '')
  const folder = t.testdir({ 'pipeline.yaml': text })
  const running = await begin(t, { folder, env: { DATABASE_URL: url } })
  await running.until('db', ({ phase }) => phase === 'streaming')
  await query(example('events.sql'))
  const path = join(folder, 'order-events.ndjson')
  const lines = () => (existsSync(path) ? readFileSync(path, 'utf8').trim().split('\n') : [])
  await until(() => lines().length === 2, lines)
  t.match(
    lines().map((line) => JSON.parse(line)),
    [
      { topic: 'outbox.event.order', key: '11', after: { total: 7.25 } },
      { topic: 'outbox.event.order', key: '11', after: { by: 'card' } },
    ],
  )
})
