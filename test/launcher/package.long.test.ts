import { type ExecFileOptions, execFile } from 'node:child_process'
import { existsSync, readdirSync, writeFileSync } from 'node:fs'
import { delimiter, dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { test } from 'tap'

const run = promisify(execFile)
const root = fileURLToPath(new URL('../..', import.meta.url))

test('the package installs into an empty folder and runs there', {
  timeout: 300_000,
}, async (t) => {
  const folder = t.testdir({ 'package.json': '{"private":true,"type":"module"}' })
  const env = {
    ...process.env,
    PATH: `${dirname(process.execPath)}${delimiter}${process.env.PATH}`,
  }
  await npm(['pack', '--pack-destination', folder], { cwd: root, env })
  const archive = readdirSync(folder).find((name) => name.endsWith('.tgz'))
  t.ok(archive, 'npm pack makes an archive')
  await npm(['install', '--no-audit', '--no-fund', `./${archive}`], { cwd: folder, env })
  const bin = join(folder, 'node_modules/.bin/millrace')

  const help = await run(process.execPath, [bin, '--help'], { env })
  t.match(help.stdout, /Usage: millrace/)

  writeFileSync(join(folder, 'p.yaml'), configuration)
  writeFileSync(join(folder, 'views.ts'), views)
  const valid = await run(process.execPath, [bin, 'validate', 'p.yaml'], { cwd: folder, env })
  t.equal(valid.stdout, 'p.yaml is valid\n')

  const script =
    "for (const part of ['', '/cache', '/sink', '/sink-contract']) await import('millrace' + part)"
  await run(process.execPath, ['--input-type=module', '-e', script], { cwd: folder, env })

  const old = await oldNode()
  if (old === undefined) return t.comment('there is no older Node to try it with')
  const refused = await run(old, [bin, '--help'], { env }).catch(
    (error: { code: number; stderr: string }) => error,
  )
  t.match(refused, { code: 1, stderr: /^millrace needs Node 24 or later; this is Node \d+\./ })
})

/** Without what the test runner loads into every Node: the compiler does not start with it. */
function npm(args: readonly string[], options: { readonly cwd: string; readonly env: object }) {
  return run('env', ['-u', 'NODE_OPTIONS', 'npm', ...args], options as ExecFileOptions)
}

const configuration = `name: shop
connectors:
  shop: {type: postgres, url: "postgres://h/db", tables: [public.orders]}
views:
  orders: {module: views.ts}
sinks:
  lines: {type: file, path: lines.ndjson, from: orders}
`

const views = `import { defineView, type Row } from 'millrace'

export const orders = defineView(({ table }) => table<Row>('shop.public.orders'))
`

/** A Node of the machine's own, older than the package wants. */
async function oldNode(): Promise<string | undefined> {
  const folders = (process.env.PATH ?? '').split(delimiter)
  const paths = folders.map((folder) => resolve(folder, 'node')).filter((path) => existsSync(path))
  for (const path of paths) {
    const { stdout } = await run(path, ['-p', 'process.versions.node'])
    if (Number.parseInt(stdout, 10) < 24) return path
  }
  return undefined
}
