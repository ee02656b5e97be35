import { spawnSync } from 'node:child_process'
import { globSync, readFileSync, statSync } from 'node:fs'
import t from 'tap'
import { errors } from '../src/core/errors.ts'
import {
  bannedWords,
  errorTableFaults,
  layerFaults,
  lengthFaults,
  lockFaults,
  machineFaults,
  nameFaults,
  relativeImports,
} from './support/tidy-rules.ts'

const read = (path: string) => ({ path, text: readFileSync(path, 'utf8') })
const product = globSync('{src,connectors,sinks}/**/*.ts').map(read)
const all = [...product, ...globSync('{test,config}/**/*.ts').map(read)]

t.test('files keep to their layer', async (t) => {
  t.ok(product.length > 0)
  t.strictSame(
    product.flatMap(({ path, text }) => layerFaults(path, text)),
    [],
  )
})

t.test('files and lines are short', async (t) => {
  t.strictSame(
    all.flatMap(({ path, text }) => lengthFaults(path, text)),
    [],
  )
})

t.test('nothing is left half done or unchecked', async (t) => {
  t.strictSame(
    all.flatMap(({ path, text }) => bannedWords(path, text)),
    [],
  )
})

t.test('files are named in kebab-case', async (t) => {
  t.strictSame(
    all.flatMap(({ path }) => nameFaults(path)),
    [],
  )
})

t.test('no file names a folder of one machine', async (t) => {
  const files = versioned().map(read)
  t.ok(files.length > all.length)
  t.strictSame(
    files.flatMap(({ path, text }) => machineFaults(path, text)),
    [],
  )
})

t.test('the lock file names no host', async (t) => {
  t.strictSame(lockFaults(readFileSync('package-lock.json', 'utf8')), [])
})

t.test('every error code is documented with its kind', async (t) => {
  t.strictSame(errorTableFaults(readFileSync('docs/errors.md', 'utf8'), errors), [])
})

t.test('the layer rule finds what it forbids, and nothing else', async (t) => {
  const faults = (path: string, target: string) =>
    layerFaults(path, `import type { A } from '${target}'\n`)
  t.strictSame(faults('src/core/pump.ts', '../log/embedded.ts'), [
    'src/core/pump.ts must not import src/log/embedded.ts',
  ])
  t.strictSame(faults('src/log/embedded.ts', '../streams/view.ts'), [
    'src/log/embedded.ts must not import src/streams/view.ts',
  ])
  t.strictSame(faults('sinks/redis/sink.ts', '../file/lines.ts'), [
    'sinks/redis/sink.ts must not import sinks/file/lines.ts',
  ])
  t.strictSame(faults('connectors/postgres/source.ts', '../../src/launcher/main.ts'), [
    'connectors/postgres/source.ts must not import src/launcher/main.ts',
  ])
  t.strictSame(faults('sinks/redis/sink.ts', '../../src/index.ts'), [
    'sinks/redis/sink.ts must not import src/index.ts',
  ])
  t.strictSame(faults('src/new/thing.ts', './other.ts'), ['src/new/thing.ts belongs to no layer'])
  t.strictSame(faults('sinks/redis/sink.ts', '../../src/core/sink.ts'), [])
  t.strictSame(faults('sinks/redis/sink.ts', './client.ts'), [])
  t.strictSame(faults('src/launcher/config/registry.ts', '../../../sinks/redis/index.ts'), [])
  t.strictSame(faults('src/index.ts', '../sinks/redis/index.ts'), [])
})

t.test('imports of every form are found', async (t) => {
  const text = [
    "import fs from 'node:fs'",
    "import { a } from './a.ts'",
    "import type { B } from './b.ts'",
    "import {\n  c,\n  type C,\n} from '../c.ts'",
    "export { d } from './d.ts'",
    "export * from './e.ts'",
    "import './f.ts'",
    "const g = await import('./g.ts')",
    'export const text = "not from \'./h.ts\'"',
  ].join('\n')
  t.strictSame(relativeImports(text).sort(), [
    '../c.ts',
    './a.ts',
    './b.ts',
    './d.ts',
    './e.ts',
    './f.ts',
    './g.ts',
  ])
})

t.test('the other rules find what they forbid', async (t) => {
  t.strictSame(lengthFaults('a.ts', 'x\n'.repeat(400)), [])
  t.strictSame(lengthFaults('a.ts', 'x\n'.repeat(401)), ['a.ts has 401 lines'])
  t.strictSame(lengthFaults('a.ts', `short\n${'x'.repeat(101)}\n`), [
    'a.ts:2 is wider than 100 columns',
  ])
  t.strictSame(lengthFaults('a.ts', `const text = '${'x'.repeat(101)}'`), [])
  t.equal(lengthFaults('a.ts', `// It's ${'x'.repeat(101)}'`).length, 1)
  for (const words of [
    ...['TO DO', 'FIX ME', '@ts- ignore'].map((split) => split.replace(' ', '')),
    ...['x as an?', 'x: an?'].map((hidden) => hidden.replace('?', 'y')),
    ['export', 'default'].join(' '),
  ]) {
    t.equal(bannedWords('a.ts', `// ${words}`).length, 1, words)
  }
  t.strictSame(bannedWords('a.ts', 'const many: anything = today // Note: any of them'), [])
  t.strictSame(nameFaults('src/log/read-ahead.property.test.ts'), [])
  t.equal(nameFaults('src/log/ReadAhead.ts').length, 1)
  t.equal(nameFaults('src/log/read_ahead.ts').length, 1)
  const folder = ['', 'work', 'main'].join('/')
  t.strictSame(machineFaults('a.md', `fine\ncd ${folder}\n`), [
    'a.md:2 names a folder of one machine',
  ])
  t.equal(machineFaults('a.md', `file://${folder}`).length, 1)
  t.strictSame(machineFaults('a.md', 'src/root/x https://example.com/work $HOME/work'), [])
  t.equal(lockFaults('{"resolved": "https://registry.example/x.tgz"}').length, 1)
})

t.test('the table of errors is compared both ways', async (t) => {
  const codes = { LOST: { kind: 'fatal' }, BUSY: { kind: 'transient' } }
  t.strictSame(
    errorTableFaults('| `LOST` | fatal | Look. |\n| `BUSY` | transient | Wait. |', codes),
    [],
  )
  t.strictSame(errorTableFaults('| `LOST` | paused | Look. |\n| `GONE` | fatal | Look. |', codes), [
    'LOST is fatal, but documented as paused',
    'BUSY is not documented',
    'GONE is documented, but does not exist',
  ])
})

/**
 * What git knows or would take; in an unpacked archive everything that is not made or installed.
 */
function versioned(): readonly string[] {
  const isText = (path: string) => !/\.(png|gif|jpg|ico|woff2?|gz|db)$/.test(path)
  const isFile = (path: string) => statSync(path, { throwIfNoEntry: false })?.isFile() === true
  return [...new Set(listed())].filter((path) => path !== '' && isText(path) && isFile(path))
}

function listed(): readonly string[] {
  const args = ['ls-files', '-z', '--cached', '--others', '--exclude-standard']
  const { status, stdout } = spawnSync('git', args, { encoding: 'utf8' })
  if (status === 0) return stdout.split('\0')
  return globSync('**/*', { exclude: ['node_modules', 'dist', 'data'] })
}
