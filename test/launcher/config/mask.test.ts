import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { test } from 'tap'
import { maskUrl } from '../../../src/core/secret.ts'
import { loadConfig } from '../../../src/launcher/config/config.ts'
import { Mask, passwords } from '../../../src/launcher/config/mask.ts'
import { standIns } from '../stand-ins.ts'

const head = `name: shop
connectors:
  shop:
    type: postgres
    url: postgres://app:hush@db/shop
    tables: [public.orders, public.customers]
`

test('the password of a URL is masked, whatever characters it has', async (t) => {
  const cases = {
    'postgres://app:hush@db:5432/shop': 'postgres://app:***@db:5432/shop',
    'postgres://app:p@ss/w@rd@db/shop': 'postgres://app:***@db/shop',
    'see https://u:a@h and https://v:b@i': 'see https://u:***@h and https://v:***@i',
    'https://token@host/path': 'https://***@host/path',
    'redis://:hush@cache': 'redis://:***@cache',
    'http://host:9200/path': 'http://host:9200/path',
    'mail me@home.org': 'mail me@home.org',
  }
  for (const [text, masked] of Object.entries(cases)) t.equal(maskUrl(text), masked)
})

test('passwords are found in URLs only', async (t) => {
  t.same(passwords('postgres://app:p@ss@db/x redis://:hush@c'), ['p@ss', 'hush'])
  t.same(passwords('http://host:9200'), [])
})

test('a hidden secret never comes through, encoded or not', async (t) => {
  const secret = fc.string({ minLength: 4, maxLength: 20 }).filter((text) => !/^\**$/.test(text))
  fc.assert(
    fc.property(secret, fc.string(), fc.string(), (hidden, before, after) => {
      const mask = new Mask()
      mask.hide(hidden)
      const clean = mask.clean(`${before} ${hidden} ${encodeURIComponent(hidden)} ${after}`)
      t.notOk(clean.replaceAll('***', '').includes(hidden) && !`${before}${after}`.includes(hidden))
    }),
    { numRuns: 300 },
  )
})

test('an error that quotes a URL tells no password, though a driver has decoded it', async (t) => {
  const mask = new Mask()
  mask.hide('postgres://app:p%40ss%20word@db/shop')
  t.equal(mask.clean('cannot sign in with "p@ss word"'), 'cannot sign in with "***"')
})

test('a word that stands everywhere is masked in URLs only', async (t) => {
  const mask = new Mask(['postgres'])
  mask.hide('postgres://postgres:postgres@db/postgres')
  t.equal(
    mask.clean('postgres: postgres://postgres:postgres@db/other'),
    'postgres: postgres://postgres:***@db/other',
  )
})

test('a secret in the place of a name, or in a name, is not told', async (t) => {
  const folder = t.testdir({})
  const file = join(folder, 'pipeline.yaml')
  const salted = '    column.mask.hash.SHA-256.with.salt.pepper: 1\n'
  writeFileSync(file, `${head}${salted}sinks: {"postgres://app:hushhush@db": 1, "x.hush.y": 2}\n`)
  const loaded = loadConfig(file, standIns, {})
  const faults = loaded.ok ? [] : loaded.faults
  t.match(faults.map(({ path }) => path).join(' '), 'with.salt.***')
  t.notMatch(JSON.stringify(faults), /pepper|hush/)
})
