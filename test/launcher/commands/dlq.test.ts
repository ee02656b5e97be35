import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Test, test } from 'tap'
import type { Status } from '../../../src/launcher/inspect/status.ts'
import { type Child, cli, standInCli, start } from '../child.ts'

const text = `name: p
connectors:
  c: {type: counter, again: again}
sinks:
  picky: {type: file, does: refuse, mended: mended, from: c.numbers}
`

test('letters are listed without their rows, shown with them, and exported whole', async (t) => {
  const { ask } = await begin(t)
  const list = await ask(['ls', 'p.yaml'])
  t.equal(list.code, 0)
  t.equal(list.lines.length, 11)
  t.match(list.lines[0], /^[0-9a-f]{10} {2}picky {2}c\.numbers:0 {2}\S+Z {2}no: It does not fit\.$/)
  t.equal(list.lines[10], '10 letters')
  t.notOk(list.output.includes('after'))
  const id = list.lines[0]!.slice(0, 10)
  const shown = await ask(['show', 'p.yaml', id.slice(0, 8)])
  t.match(shown.output, /^refused {2}once, first /m)
  t.match(shown.output, /^value {4}\{"before":null,"after":\{"id":1\}/m)
  const exported = await ask(['export', 'p.yaml', '--sink', 'picky', '--code', 'no'])
  t.equal(exported.lines.length, 10)
  const [first] = exported.lines.map((line) => JSON.parse(line))
  t.match(first, { id, key: '{"id":1}', value: /"after":\{"id":1\}/, state: 'open' })
  const headers = {
    '__connect.errors.topic': 'c.numbers',
    '__connect.errors.stage': 'TASK_PUT',
    '__connect.errors.exception.class.name': 'no',
    'millrace.attempts': '1',
  }
  t.match(first.headers, headers)
})

test('what is refused again stays open, with one attempt more', async (t) => {
  const { ask } = await begin(t)
  const replayed = await ask(['replay', 'p.yaml', '--sink', 'picky'])
  t.equal(replayed.code, 1)
  t.match(replayed.lines[0], /^[0-9a-f]{10} {2}open: no: It does not fit\.$/)
  const list = await ask(['ls', 'p.yaml', '--json'])
  t.equal(list.lines.length, 10)
  t.match(JSON.parse(list.lines[9]!), { attempts: 2, state: 'open' })
})

test('once mended letters are replayed, but those of which there is newer news', async (t) => {
  const { ask, folder, status } = await begin(t)
  t.equal((await status()).parts[1]?.letters, 10)
  writeFileSync(join(folder, 'mended'), '')
  writeFileSync(join(folder, 'again'), '')
  while ((await status()).parts[1]?.records !== 13);
  const replayed = await ask(['replay', 'p.yaml', '--sink', 'picky', '--json'])
  t.equal(replayed.code, 0)
  const byState = Map.groupBy(
    replayed.lines.filter((line) => line.startsWith('{')).map((line) => JSON.parse(line)),
    ({ state }) => state as string,
  )
  t.match(byState.get('outdated'), [
    { note: 'the key has a newer record, at offset 10' },
    { note: 'the key has a newer record, at offset 11' },
    { note: 'the key was deleted, at offset 12' },
  ])
  t.equal(byState.get('written')?.length, 7)
  const after = (await status()).parts[1]
  t.match(after, { letters: 0, applied: 3 + 7 })
  t.equal((await ask(['ls', 'p.yaml'])).output, '0 letters\n')
  t.equal((await ask(['ls', 'p.yaml', '--all'])).lines.length, 11)
  const again = await ask(['replay', 'p.yaml', JSON.parse(replayed.lines.at(-1)!).id])
  t.match(again.lines[0], /written: replayed$/)
  t.equal((await status()).parts[1]?.applied, after?.applied, 'nothing is written twice')
})

test('a letter that is skipped waits no longer, also after a kill', async (t) => {
  const { ask, run, folder } = await begin(t)
  const [first] = (await ask(['ls', 'p.yaml'])).lines
  const id = first!.slice(0, 10)
  const skipped = await ask(['skip', 'p.yaml', id])
  t.equal(skipped.lines[0], `${id}  skipped: skipped by an operator`)
  run.kill('SIGKILL')
  await run.ended
  t.equal((await ask(['ls', 'p.yaml'])).lines.length, 10, 'also while nothing runs')
  const list = await ask(['ls', 'p.yaml', '--all'])
  t.match(list.lines[0], /\[skipped: skipped by an operator\]$/)
  const again = start(standInCli, ['p.yaml'], { cwd: folder })
  t.teardown(() => again.kill('SIGKILL'))
  await again.said(/picky: running/)
  t.equal((await ask(['ls', 'p.yaml'])).lines.length, 10)
})

test('a replay that a kill has cut off is done again, with the same end', async (t) => {
  const { ask, run, folder, status } = await begin(t)
  writeFileSync(join(folder, 'mended'), '')
  const replay = start(cli, ['dlq', 'replay', 'p.yaml', '--sink', 'picky'], { cwd: folder })
  await replay.said(/written/)
  run.kill('SIGKILL')
  await Promise.all([run.ended, replay.ended])
  const again = start(standInCli, ['p.yaml'], { cwd: folder })
  t.teardown(async () => {
    again.kill('SIGKILL')
    await again.ended
  })
  await again.said(/picky: running/)
  while ((await status()).parts[1]?.records !== 10);
  t.equal((await ask(['replay', 'p.yaml', '--sink', 'picky'])).code, 0)
  t.equal((await status()).parts[1]?.letters, 0)
  const all = (await ask(['ls', 'p.yaml', '--all', '--json'])).lines.map((line) => JSON.parse(line))
  t.equal(all.length, 10)
  t.ok(all.every(({ state }) => state === 'written'))
})

test('what cannot be done is said', async (t) => {
  const { ask, run } = await begin(t)
  t.match(await ask(['show', 'p.yaml', 'zz']), { code: 1, output: 'there is no letter zz\n' })
  t.match(await ask(['skip', 'p.yaml']), { code: 2, output: /say which letters/ })
  run.kill('SIGKILL')
  await run.ended
  const replayed = await ask(['replay', 'p.yaml', '--sink', 'picky'])
  t.match(replayed, { code: 1, output: /^nothing is running on / })
})

interface Answer {
  readonly code: number | null
  readonly output: string
  readonly lines: readonly string[]
}

interface Begun {
  readonly run: Child
  readonly folder: string
  ask(args: readonly string[]): Promise<Answer>
  status(): Promise<Status>
}

async function begin(t: Test): Promise<Begun> {
  const folder = t.testdir({ 'p.yaml': text })
  const run = start(standInCli, ['p.yaml'], { cwd: folder })
  t.teardown(async () => {
    run.kill('SIGKILL')
    await run.ended
  })
  await run.said(/picky: running/)
  const ask = async (args: readonly string[]) => {
    const { output, ended } = start(cli, ['dlq', ...args], { cwd: folder })
    const code = await ended
    return { code, output: output(), lines: output().trim().split('\n') }
  }
  const status = async () => {
    const { output, ended } = start(cli, ['status', 'p.yaml', '--json'], { cwd: folder })
    await ended
    return JSON.parse(output()) as Status
  }
  while ((await status()).parts[1]?.letters !== 10);
  return { run, folder, ask, status }
}
