import { join } from 'node:path'
import { test } from 'tap'
import { cli, start } from '../child.ts'

const good = `name: shop
connectors:
  shop: {type: postgres, url: "postgres://u:hush-hush@h/db", tables: [public.orders]}
sinks:
  lines: {type: file, path: lines.ndjson, from: shop.public.orders}
`

test('a valid configuration: exit code 0, whatever the database would say', async (t) => {
  const { output, ended } = start(cli, ['validate', join(t.testdir({ 'p.yaml': good }), 'p.yaml')])
  t.equal(await ended, 0)
  t.match(output(), /p\.yaml is valid\n$/)
})

test('faults: one line each that editors can follow, and exit code 2', async (t) => {
  const folder = t.testdir({ 'p.yaml': good.replace('tables', 'tabels') })
  const { output, ended } = start(cli, ['validate', 'p.yaml'], { cwd: folder })
  t.equal(await ended, 2)
  t.match(
    output(),
    /^p\.yaml:3:62: connectors\.shop\.tabels: is not an option; did you mean tables\?$/m,
  )
  t.match(output(), /\n1 fault\n$/)
})

test('--json prints the faults for programs', async (t) => {
  const folder = t.testdir({ 'p.yaml': good.replace('lines.ndjson', '5') })
  const { output, ended } = start(cli, ['validate', 'p.yaml', '--json'], { cwd: folder })
  t.equal(await ended, 2)
  const fault = { file: 'p.yaml', line: 5, column: 29, path: 'sinks.lines.path' }
  t.match(JSON.parse(output()), { valid: false, faults: [fault] })
})

test('a view that reads a topic which no connector writes is a fault', async (t) => {
  const view = `export const orders = { define: ({ table }) => table('shop.public.order') }`
  const text = `${good}views:\n  orders: {module: views.mjs}\n`
  const folder = t.testdir({ 'p.yaml': text, 'views.mjs': view })
  const { output, ended } = start(cli, ['validate', 'p.yaml'], { cwd: folder })
  t.equal(await ended, 2)
  t.match(
    output(),
    /no connector writes the topic shop\.public\.order; did you mean shop\.public\.orders\?/,
  )
})

test('every command explains itself, with examples', async (t) => {
  for (const command of ['run', 'validate', 'status', 'tap']) {
    const { output, ended } = start(cli, [command, '--help'])
    t.equal(await ended, 0)
    t.match(
      output(),
      new RegExp(`Usage: millrace ${command}[\\s\\S]*Examples:\\n  \\$ millrace ${command}`),
    )
  }
})

test('a command or option that does not exist: exit code 2, and the nearest one', async (t) => {
  const command = start(cli, ['rnu'])
  t.equal(await command.ended, 2)
  t.match(command.output(), /Did you mean run\?/)
  const option = start(cli, ['status', '--jsn'])
  t.equal(await option.ended, 2)
  t.match(option.output(), /Did you mean --json\?/)
})

test('version prints the version of the package', async (t) => {
  const { default: manifest } = await import('../../../package.json', { with: { type: 'json' } })
  for (const args of [['version'], ['--version']]) {
    const { output, ended } = start(cli, args)
    t.equal(await ended, 0)
    t.equal(output(), `${manifest.version}\n`)
  }
})
