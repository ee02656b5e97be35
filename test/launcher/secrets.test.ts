import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { test } from 'tap'
import { loadConfig } from '../../src/launcher/config/config.ts'
import { showFault } from '../../src/launcher/config/fault.ts'
import { dollar, standIns } from './stand-ins.ts'

/** Nothing that could stand in a message by chance. */
const secret = fc.string({ minLength: 6, maxLength: 12, unit: fc.constantFrom(...'qxzQXZ789') })

/** Ways to spoil a configuration that holds the secret in several places. */
const spoilt: readonly ((secret: string) => string)[] = [
  (secret) => `url: {x: "${secret}"}`,
  (secret) => `url: ["${secret}"]`,
  (secret) => `url: postgres://u:${secret}@h\n    batch: postgres://u:${secret}@h`,
  (secret) => `url: ${secret}\n    batch: ${secret}`,
  (secret) => `url: ${secret}\n    snapshot: ${secret}`,
  (secret) => `url: "${secret}\n    tables: x`,
  (secret) => `url: "${secret}\\q"`,
  (secret) => `url: @${secret}`,
  (secret) => `url: [${secret}\n    b: ${secret}: ${secret}`,
  (secret) => `url: >${secret}\n     x`,
  (secret) => `url: *${secret}`,
  (secret) => `url: !${secret} x`,
  (secret) => `url: 'a' ${secret}`,
  (secret) => `url: ${secret}\n    url: ${secret}\n    tables: ${secret}`,
  () => `url: ${dollar}{SECRET}\n    snapshot: ${dollar}{SECRET}`,
  () => `batch: ${dollar}{SECRET}\n    tables: ${dollar}{SECRET}`,
  () => `url: x\n    tls: "a${dollar}{SECRET}b${dollar}{NONE}"`,
]

test('no fault tells a secret, however the text is spoilt', async (t) => {
  const file = join(t.testdir({}), 'pipeline.yaml')
  fc.assert(
    fc.property(fc.constantFrom(...spoilt), secret, (spoil, hidden) => {
      const shop = `    type: postgres\n    ${spoil(hidden)}\n`
      const find = `{type: elasticsearch, url: "http://u:${hidden}@h", auth: {user: x, password: ${hidden}, y: 1}}`
      writeFileSync(file, `name: shop\nconnectors:\n  shop:\n${shop}sinks:\n  find: ${find}\n`)
      const loaded = loadConfig(file, standIns, { SECRET: hidden })
      const said = loaded.ok ? [] : loaded.faults.map(showFault)
      t.ok(said.length > 0, 'there are faults')
      t.notOk(said.join('\n').includes(hidden), said.join('\n'))
      t.notOk(JSON.stringify(loaded.ok ? [] : loaded.faults).includes(hidden))
    }),
    { numRuns: 300 },
  )
})

test('what a driver says of a secret option is masked as well', async (t) => {
  const file = join(t.testdir({}), 'pipeline.yaml')
  const text = `name: shop\nconnectors:\n  shop: {type: postgres, url: "${dollar}{URL}", tables: [a.b]}\n`
  writeFileSync(file, text)
  const { mask } = loadConfig(file, standIns, { URL: 'postgres://app:s%23cret-word@db/shop' })
  t.equal(
    mask.clean('password "s#cret-word" of postgres://app:s%23cret-word@db/shop'),
    'password "***" of ***',
  )
})

/** Ways to spoil what stands under `http`, the token apart. */
const spoiltHttp: readonly ((secret: string) => string)[] = [
  (secret) => `{port: 1, token: {x: "${secret}"}}`,
  (secret) => `{port: 1, token: ["${secret}"]}`,
  (secret) => `{port: ${secret}, token: ${secret}}`,
  (secret) => `{port: 1, host: "", token: ${secret}, tokn: ${secret}}`,
  (secret) => `{port: 99999, token: ${secret}, more: ${secret}}`,
  () => `{port: "${dollar}{SECRET}", token: "${dollar}{SECRET}"}`,
]

test('no fault tells the token of http', (t) => {
  const file = join(t.testdir({}), 'pipeline.yaml')
  fc.assert(
    fc.property(fc.constantFrom(...spoiltHttp), secret, (spoil, hidden) => {
      writeFileSync(file, `name: shop\nhttp: ${spoil(hidden)}\nconnectors: {}\n`)
      const loaded = loadConfig(file, standIns, { SECRET: hidden })
      const said = loaded.ok ? [] : loaded.faults.map(showFault)
      t.ok(said.length > 0, 'there are faults')
      t.notOk(JSON.stringify(said).includes(hidden), said.join('\n'))
    }),
    { numRuns: 100 },
  )
  t.end()
})

test('whatever is printed later has the token of http masked, on either log', (t) => {
  for (const log of ['{}', '{type: kafka, brokers: "b:9092"}']) {
    const file = join(t.testdir({}), 'pipeline.yaml')
    const shop = 'connectors:\n  shop: {type: postgres, url: "postgres://h/d", tables: [a.b]}\n'
    writeFileSync(
      file,
      `name: shop\nlog: ${log}\nhttp: {port: 1, token: "${dollar}{TOKEN}"}\n${shop}`,
    )
    const loaded = loadConfig(file, standIns, { TOKEN: 'let-me-in' })
    t.same(loaded.ok ? [] : loaded.faults.map(showFault), [])
    t.equal(loaded.mask.clean('Bearer let-me-in was refused'), 'Bearer *** was refused')
  }
  t.end()
})
