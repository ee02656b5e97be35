import { spawn } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { usePostgres } from '../support/servers/use.ts'

const topic = 'test_server.public.t'

function one(name: string, value: string, more: object = {}) {
  const records = [{ op: 'c', topic, key: { pk: 1 }, before: null, after: { v: value } }]
  return {
    ...{ name, group: 'g', phase: 'stream', config: {}, ...more },
    ddl: ['CREATE TABLE public.t (pk SERIAL PRIMARY KEY, v TEXT)'],
    dml: ["INSERT INTO public.t (v) VALUES ('x')"],
    expect: { compare: 'subset', records },
  }
}

/** Runs the program as a user would. */
async function run(...args: string[]) {
  const program = join(import.meta.dirname, 'main.ts')
  const child = spawn(process.execPath, [program, ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  child.stdout.on('data', (bytes) => (output += bytes))
  child.stderr.on('data', (bytes) => (output += bytes))
  const status = await new Promise((resolve) => child.once('close', resolve))
  return { status, output, lastLine: output.trimEnd().split('\n').at(-1) }
}

t.test('a file is run and counted, and any failure is the exit status', async (t) => {
  await usePostgres(t) // Skips the test where the program could not start one either.
  const file = join(t.testdir({}), 'cases.json')
  const impossible = one('needs what is not there', 'x', { requires: { pg: '>=99' } })
  writeFileSync(file, JSON.stringify([one('right', 'x'), one('wrong', 'y'), impossible]))
  const all = await run('postgres-source', file, '--json', `${file}.out`)
  t.equal(all.lastLine, '1 passed, 1 failed, 1 skipped')
  t.equal(all.status, 1)
  t.match(all.output, /FAILED: wrong\n +records\[0\]\.after\.v\n +expected "y"\n +actual +"x"/)
  t.match(JSON.parse(readFileSync(`${file}.out`, 'utf8')), { passed: 1, failed: 1, skipped: 1 })
  const right = await run('postgres-source', file, '--only', 'right')
  t.equal(right.lastLine, '1 passed, 0 failed, 0 skipped')
  t.equal(right.status, 0)
})

t.test('what cannot be run is said, with a status of its own', async (t) => {
  const unknown = await run('streamz', 'cases.json')
  t.match(unknown, { status: 2, output: /no kind of cases 'streamz'.*Known: postgres-source/ })
  t.match(await run(), { status: 2, output: /Usage: npm run cases/ })
})
