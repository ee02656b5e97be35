import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Test, test } from 'tap'
import type { PartStatus, Status } from '../../../src/launcher/inspect/status.ts'
import { cli, standInCli, start } from '../child.ts'

const text = `name: p
connectors:
  c: {type: counter, until: 500}
sinks:
  picky: {type: file, does: refuse, mended: mended, from: c.numbers}
  other: {type: file, from: c.numbers}
`

test('a flood of refusals pauses the sink, which goes on by itself once it is mended', async (t) => {
  const { folder, part } = await begin(t)
  const paused = await part('picky', ({ state }) => state === 'paused')
  t.match(paused.reason, /^TARGET_MISCONFIGURED: \d+ of the last \d+ records were refused/)
  t.match(paused.reason, /most as no: It does not fit\./)
  t.ok(paused.letters <= 100, 'what came before the flood')
  t.match(await part('other', ({ records }) => records === 500), { state: 'running' })
  writeFileSync(join(folder, 'mended'), '')
  const after = await part('picky', ({ applied, letters }) => applied + letters === 500)
  t.match(after, { state: 'running', reason: null, letters: paused.letters })
})

test('an operator may let a flood become dead letters', async (t) => {
  const { ask, part } = await begin(t)
  await part('picky', ({ state }) => state === 'paused')
  t.equal(
    await ask(['sink', 'resume', 'p.yaml', 'picky']),
    'picky: goes on: what is refused becomes dead letters\n',
  )
  t.match(await part('picky', ({ letters }) => letters === 500), { applied: 0 })
  t.match(await ask(['status', 'p.yaml']), /^picky: 500 dead letters wait; `millrace dlq ls`/m)
})

async function begin(t: Test) {
  const folder = t.testdir({ 'p.yaml': text })
  const run = start(standInCli, ['p.yaml'], { cwd: folder })
  t.teardown(async () => {
    run.kill('SIGKILL')
    await run.ended
  })
  await run.said(/other: running/)
  const ask = async (args: readonly string[]) => {
    const { output, ended } = start(cli, args, { cwd: folder })
    await ended
    return output()
  }
  /** The status of a sink, once it is so. */
  const part = async (name: string, isSo: (part: PartStatus) => boolean) => {
    for (;;) {
      const { parts } = JSON.parse(await ask(['status', 'p.yaml', '--json'])) as Status
      const found = parts.find((each) => each.name === name)
      if (found !== undefined && isSo(found)) return found
    }
  }
  return { folder, ask, part }
}
