import { join } from 'node:path'
import { test } from 'tap'
import { file } from '../../../sinks/file/index.ts'
import { postgresSink } from '../../../sinks/postgres/index.ts'
import { sqlite } from '../../../sinks/sqlite/index.ts'
import { loadConfig } from '../../../src/launcher/config/config.ts'
import { standIns } from '../stand-ins.ts'

const head = `name: shop
connectors:
  shop:
    type: postgres
    url: postgres://app:hush@db/shop
    tables: [public.orders, public.customers]
`

test('what two topics would write to is a fault, with the way out', async (t) => {
  const registry = { connectors: standIns.connectors, sinks: [file, sqlite, postgresSink] }
  const load = (sinks: string) => {
    const path = join(t.testdir({ 'pipeline.yaml': `${head}sinks:\n${sinks}` }), 'pipeline.yaml')
    const loaded = loadConfig(path, registry, {})
    return loaded.ok ? [] : loaded.faults.map(({ path, what }) => `${path}: ${what}`)
  }
  const both = 'from: [shop.public.orders, shop.public.customers]'
  const clash = load(`  out: {type: file, path: /a/out, ${both}}\n`)
  t.match(clash, [
    'sinks.out.from: would write both shop.public.orders by out and shop.public.customers by out to the file /a/out: put {topic} into the path',
  ])
  const one = 'from: shop.public.orders'
  t.match(load(`  a: {type: file, path: ./x, ${one}}\n  b: {type: file, path: x, ${one}}\n`), [
    /^sinks\.b\.from: .*by a and shop\.public\.orders by b/,
  ])
  const url = 'postgres://u:hush@h/db'
  for (const place of ['sqlite, path: x', `postgres, url: "${url}"`]) {
    t.match(load(`  a: {type: ${place}, table: t, ${both}}\n`), [
      /to the table .*\bt .*leave `table`/,
    ])
    t.same(load(`  a: {type: ${place}, ${both}}\n`), [])
  }
  t.same(load(`  out: {type: file, path: "{topic}.ndjson", ${both}}\n`), [])
  t.same(load(`  a: {type: file, path: "-", ${one}}\n  b: {type: file, path: "-", ${one}}\n`), [])
})
