import { type ChildProcess, spawn } from 'node:child_process'
import { globSync } from 'node:fs'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { type SharedServers, startShared } from './servers/shared.ts'
import { closingLine, readTap, type Tally, total } from './tap-report.ts'

/**
 * All tests: `node test/support/run-tests.ts [--long] [part of a path …]`. Without a path the types
 * and the format are checked too, and one server of each kind serves all files. Ends with a line of
 * counts.
 */

const root = resolve(import.meta.dirname, '..', '..')
const binaries = join(root, 'node_modules', '.bin')

interface Run {
  readonly files: readonly string[]
  readonly long: boolean
  readonly env: Readonly<Record<string, string>>
}

process.chdir(root)
process.exitCode = await main(process.argv.slice(2))

async function main(args: string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: { long: { type: 'boolean', default: false } },
  })
  const files = testFiles(values.long, positionals)
  const whole = positionals.length === 0
  const servers: SharedServers = whole ? await startShared() : { env: {}, stop: async () => {} }
  try {
    const checks = whole ? await check() : []
    const tests = await runTap({ files, long: values.long, env: servers.env })
    return report([...checks, ...tests])
  } finally {
    await servers.stop()
  }
}

function testFiles(long: boolean, filters: readonly string[]): readonly string[] {
  const wanted = (path: string) =>
    (long ||
      filters.some((filter) => filter.includes('.long')) ||
      !path.endsWith('.long.test.ts')) &&
    (filters.length === 0 || filters.some((filter) => path.includes(filter)))
  return globSync('test/**/*.test.ts').filter(wanted).sort()
}

/** What needs no running: types, and the format and rules of the code. */
async function check(): Promise<[string, Tally][]> {
  const commands = { types: ['tsc', '-p', '.'], 'format and rules': ['biome', 'check', '.'] }
  const tallies: [string, Tally][] = []
  for (const [name, [command, ...args]] of Object.entries(commands)) {
    const code = await ended(start(command!, args, {}))
    const failures =
      code === 0 ? [] : [`${name}: \`${command} ${args.join(' ')}\` ended with ${code}`]
    tallies.push([
      name,
      { passed: 1 - failures.length, failed: failures.length, skipped: 0, failures },
    ])
  }
  return tallies
}

/** Runs the files under tap, which shows its own report, and counts what came of them. */
async function runTap({ files, long, env }: Run): Promise<[string, Tally][]> {
  if (files.length === 0) return [] // Without files tap would run all it finds.
  const folder = await mkdtemp(join(tmpdir(), 'millrace-tests-'))
  const output = join(folder, 'all.tap')
  const reporter = process.stdout.isTTY ? [] : ['--reporter=min', '--no-color']
  const patience = long ? ['--timeout=3600'] : []
  try {
    const tap = start(
      'tap',
      ['run', `--output-file=${output}`, ...reporter, ...patience, ...files],
      env,
    )
    for (const signal of ['SIGINT', 'SIGTERM'] as const)
      process.once(signal, () => tap.kill(signal))
    const code = await ended(tap)
    const tallies = readTap(await readFile(output, 'utf8').catch(() => ''), files)
    const honest = code === 0 || total(tallies.values()).failed > 0
    return honest ? [...tallies] : [...tallies, ['tap', failure(`tap ended with ${code}`)]]
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

function report(tallies: readonly (readonly [string, Tally])[]): number {
  console.log() // Tap's report ends without a line break.
  for (const [name, tally] of tallies) console.log(`${name}: ${closingLine(tally)}`)
  const sum = total(tallies.map(([, tally]) => tally))
  const empty = sum.passed === 0 && sum.failed === 0
  const all = empty ? total([sum, failure('No test was run')]) : sum
  if (all.failures.length > 0) console.log(`\nfailed:\n${all.failures.join('\n')}`)
  console.log(`\n${closingLine(all)}`)
  return all.failed > 0 ? 1 : 0
}

function failure(text: string): Tally {
  return { passed: 0, failed: 1, skipped: 0, failures: [text] }
}

function start(command: string, args: readonly string[], env: Run['env']): ChildProcess {
  // The binaries start with `env node`, which has to be this project's Node too.
  const path = [binaries, process.env.PATH].join(delimiter)
  return spawn(join(binaries, command), args, {
    stdio: 'inherit',
    env: { ...process.env, ...env, PATH: path },
  })
}

function ended(child: ChildProcess): Promise<number | string> {
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code, signal) => resolve(code ?? signal ?? 'no code'))
  })
}
