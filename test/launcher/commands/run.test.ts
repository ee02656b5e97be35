import { existsSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Test, test } from 'tap'
import { type Child, cli, standInCli, start } from '../child.ts'

const counting =
  'name: p\nconnectors:\n  c: {type: counter}\nsinks:\n  s: {type: file, from: c.numbers}\n'

test('the first signal lets everything under way finish: exit code 0', async (t) => {
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    const run = await running(t, counting)
    run.kill(signal)
    t.equal(await run.ended, 0, signal)
    t.match(run.output(), /everything under way is finished/)
  }
})

test('the second signal ends it at once: exit codes 130 and 143', async (t) => {
  const hanging = counting.replace('from', 'does: hang, from')
  for (const [signal, code] of [
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const) {
    const run = await running(t, hanging)
    run.kill(signal)
    await run.said(/once more to stop at once/)
    run.kill(signal)
    t.equal(await run.ended, code, signal)
  }
})

test('whoever does not finish in time is ended: exit code 143', async (t) => {
  const run = await running(t, counting.replace('from', 'does: hang, from'), ['50'])
  run.kill('SIGTERM')
  t.equal(await run.ended, 143)
})

test('with every connector failed it ends by itself, what they wrote worked off: 1', async (t) => {
  const { run, folder } = begin(t, counting.replace('counter', 'counter, fails: fatal'))
  t.equal(await run.ended, 1)
  t.match(run.output(), /c: failed: SLOT_LOST: The slot hush-hush is gone\. The slot is gone/)
  const status = start(cli, ['tap', 'c.numbers', '--data', join(folder, 'data/p'), '--json'])
  await status.ended
  t.equal(status.output().match(/"topic":"c.numbers"/g)?.length, 10)
})

test('a failed part leaves the others running', async (t) => {
  const two = `${counting}  t: {type: file, does: fail, from: c.numbers}\n`
  const { run } = begin(t, two)
  await run.said(/t: failed: FENCED/)
  await run.said(/s: running/)
  run.kill('SIGTERM')
  t.equal(await run.ended, 0)
})

test('a failure without a name is a bug: the process ends with its stack and 1', async (t) => {
  const { run } = begin(t, counting.replace('counter', 'counter, fails: bug'))
  t.equal(await run.ended, 1)
  t.match(run.output(), /c met a bug[\s\S]*caused by TypeError: .*\n +at /)
})

test('a configuration with faults starts nothing: all of them, and exit code 2', async (t) => {
  const { run, folder } = begin(t, 'name: p\nconnectors:\n  c: {type: countr}\nsink: {}\n')
  t.equal(await run.ended, 2)
  t.match(run.output(), /p.yaml:3:13: .*did you mean counter\?\n.*p.yaml:4:1: sink: .*\n2 faults\n/)
  t.notOk(existsSync(join(folder, 'data')))
})

test('a view that cannot be loaded is a fault of the configuration', async (t) => {
  const folder = t.testdir({ 'views.ts': 'export const other = {}' })
  writeFileSync(join(folder, 'p.yaml'), `${counting}views:\n  v: {module: views.ts}\n`)
  const run = start(standInCli, [join(folder, 'p.yaml')])
  t.equal(await run.ended, 2)
  t.match(run.output(), /p.yaml:7:3: views\.v: .*views\.ts exports no view "v"/)
})

test('a second process on the same data is refused, and told who holds it', async (t) => {
  const { run, folder } = begin(t, counting)
  await run.said(/s: running/)
  const second = start(standInCli, [join(folder, 'p.yaml')])
  t.equal(await second.ended, 1)
  t.match(second.output(), new RegExp(`LOG_IN_USE: .* process ${run.pid}\\.`))
  run.kill('SIGTERM')
  t.equal(await run.ended, 0)
})

test('the socket is open to its own user only, and gone afterwards', async (t) => {
  const { run, folder } = begin(t, counting)
  await run.said(/s: running/)
  const socket = join(folder, 'data/p/control.sock')
  if (Buffer.byteLength(socket) <= 100) t.equal(statSync(socket).mode & 0o777, 0o600)
  run.kill('SIGTERM')
  await run.ended
  t.notOk(existsSync(socket))
})

test('an unreachable database keeps it trying, and a signal still ends it well', async (t) => {
  const folder = t.testdir({})
  const file = join(folder, 'p.yaml')
  const url = 'postgres://app:hush-hush-hush@127.0.0.1:9/shop'
  writeFileSync(file, `name: p\nconnectors:\n  c: {type: postgres, url: "${url}", tables: [a.b]}\n`)
  const run = start(cli, ['run', file])
  await run.said(/c: retrying: CONNECTION_LOST/)
  run.kill('SIGTERM')
  t.equal(await run.ended, 0)
  t.notMatch(run.output(), /hush-hush/)
})

function begin(
  t: Test,
  text: string,
  args: readonly string[] = [],
): { run: Child; folder: string } {
  const folder = t.testdir({})
  writeFileSync(join(folder, 'p.yaml'), text)
  const run = start(standInCli, [join(folder, 'p.yaml'), ...args])
  t.teardown(() => run.kill('SIGKILL'))
  return { run, folder }
}

async function running(t: Test, text: string, args?: readonly string[]): Promise<Child> {
  const { run } = begin(t, text, args)
  await run.said(/s: running/)
  return run
}
