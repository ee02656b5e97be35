import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Test, test } from 'tap'
import type { Status } from '../../../src/launcher/inspect/status.ts'
import { type Child, cli, standInCli, start } from '../child.ts'

const text = `name: p
connectors:
  c: {type: counter}
sinks:
  good: {type: file, from: c.numbers}
  picky: {type: file, does: refuse, from: c.numbers}
  stuck: {type: file, does: hang, from: c.numbers}
`

test('status tells how each part is doing, and what is behind', async (t) => {
  const { folder } = await begin(t)
  const { parts, ...whole } = await workedOff(folder)
  t.match(whole, { v: 1, pipeline: 'p', log: { topics: 2, records: 20 } })
  const part = (name: string) => parts.find((each) => each.name === name)
  t.match(part('c'), { kind: 'connector', state: 'running', records: 10, retainedBytes: 0 })
  t.match(part('good'), { applied: 10, dead: 0, stale: 0, lag: { records: 0, seconds: 0 } })
  t.match(part('picky'), { applied: 0, dead: 10, lag: { records: 0 } })
  t.match(part('stuck'), { records: 0, lag: { records: 10, seconds: null } })
})

test('for people it is a table', async (t) => {
  const { folder } = await begin(t)
  await workedOff(folder)
  const { output, ended } = start(cli, ['status', '--data', join(folder, 'data/p')])
  t.equal(await ended, 0)
  t.match(output(), /^PART +STATE +RECORDS +APPLIED +STALE +DEAD +LAG +RETAINED WAL$/m)
  t.match(output(), /^sink picky +running +10 +0 +0 +10 +0 B +0 s$/m)
  t.notOk(output().includes('\u001b'), 'no colour where there is no terminal')
})

test('the only pipeline under ./data needs no name', async (t) => {
  const { folder } = await begin(t)
  const { output, ended } = start(cli, ['status'], { cwd: folder })
  t.equal(await ended, 0)
  t.match(output(), /^p: process \d+, since /)
})

test('when nothing runs it says so', async (t) => {
  const { folder, run } = await begin(t)
  run.kill('SIGKILL')
  await run.ended
  const { output, ended } = start(cli, ['status', '--data', join(folder, 'data/p')])
  t.equal(await ended, 1)
  t.match(output(), /nothing is running on .*data\/p/)
})

test('a directory without a pipeline is named', async (t) => {
  const { output, ended } = start(cli, ['status', '--data', join(t.testdir({}), 'none')])
  t.equal(await ended, 1)
  t.match(output(), /none does not exist: nothing has run there yet\n$/)
})

test('tap prints the records of a topic from its beginning, then those that come', async (t) => {
  const { folder } = await begin(t)
  const args = ['tap', 'c.numbers', '--data', join(folder, 'data/p'), '--limit', '10']
  const people = start(cli, args)
  t.equal(await people.ended, 0)
  t.match(people.output(), /^\S+Z 0:0 \{"id":1\} \{"before":null,"after":\{"id":1\}/)
  t.equal(people.output().trim().split('\n').length, 10)
  const machines = start(cli, [...args, '--json'])
  await machines.ended
  const records = machines
    .output()
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
  t.match(records[9], { topic: 'c.numbers', offset: '9', key: { id: 10 }, value: { op: 'c' } })
})

test('refused records wait in the dead-letter topic, with what was wrong', async (t) => {
  const { folder } = await begin(t)
  await workedOff(folder)
  const args = ['tap', 'c.numbers.dlq', '--data', join(folder, 'data/p'), '--limit', '1', '--json']
  const { output, ended } = start(cli, args)
  t.equal(await ended, 0)
  const headers = {
    '__connect.errors.topic': 'c.numbers',
    '__connect.errors.exception.message': 'It does not fit.',
  }
  t.match(JSON.parse(output()), { headers })
})

test('tap of a topic that is not there suggests one that is', async (t) => {
  const { folder } = await begin(t)
  const { output, ended } = start(cli, ['tap', 'c.nubmers', '--data', join(folder, 'data/p')])
  t.equal(await ended, 1)
  t.equal(output(), 'there is no topic c.nubmers; did you mean c.numbers?\n')
})

async function begin(t: Test): Promise<{ run: Child; folder: string }> {
  const folder = t.testdir({})
  writeFileSync(join(folder, 'p.yaml'), text)
  const run = start(standInCli, [join(folder, 'p.yaml')])
  t.teardown(async () => {
    run.kill('SIGKILL')
    await run.ended
  })
  await run.said(/good: running[\s\S]*stuck: running/)
  return { run, folder }
}

/** The status once everything but what is stuck has been worked off. */
async function workedOff(folder: string): Promise<Status> {
  for (;;) {
    const { output, ended } = start(cli, ['status', '--data', join(folder, 'data/p'), '--json'])
    await ended
    const status = JSON.parse(output()) as Status
    const rest = status.parts.filter(({ kind, name }) => kind === 'sink' && name !== 'stuck')
    if (rest.every(({ records, lag }) => records === 10 && lag.records === 0)) return status
  }
}
