import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { type Test, test } from 'tap'
import type { PartStatus, Status } from '../../../src/launcher/inspect/status.ts'
import { cli, standInCli, start } from '../child.ts'

const text = `name: p
connectors:
  c: {type: counter, again: again}
sinks:
  one: {type: sqlite, from: c.numbers, path: one.db, table: numbers}
  two: {type: file, from: c.numbers}
`

test('a paused sink stands still while the others go on, and says so', async (t) => {
  const { folder, sink, part } = await begin(t)
  t.match(await sink(['pause', 'p.yaml', 'one']), { code: 0, output: /^one: paused: it keeps its/ })
  t.match(await sink(['pause', 'p.yaml', 'one']), { output: /is paused already, since 2/ })
  writeFileSync(join(folder, 'again'), '')
  await part('two', ({ records }) => records === 13)
  const paused = await part('one', ({ state, lag }) => state === 'paused' && (lag.records ?? 0) > 0)
  t.match(paused.reason, /^paused by an operator at \S+; `millrace sink resume`/)
  t.same(numbers(folder).at(-1), '10', 'nothing is written meanwhile')
  t.equal(numbers(folder).length, 10)
  t.match(await sink(['resume', 'p.yaml', 'one']), {
    code: 0,
    output: 'one: goes on from where it was\n',
  })
  await part('one', ({ lag }) => lag.records === 0)
  t.equal(numbers(folder).length, 9)
  t.match(await sink(['resume', 'p.yaml', 'one']), { output: /is not paused by an operator/ })
})

test('a pause outlives the process', async (t) => {
  const { folder, sink, part, restart } = await begin(t)
  await sink(['pause', 'p.yaml', 'one'])
  await restart()
  await part('two', ({ state }) => state === 'running')
  t.match(await part('one'), { state: 'paused', reason: /^paused by an operator/ })
  await sink(['resume', 'p.yaml', 'one'])
  await part('one', ({ state }) => state === 'running')
  await restart()
  await part('one', ({ state }) => state === 'running')
  t.ok(existsSync(join(folder, 'data/p/paused.json')))
})

test('a refilled sink holds what the topic holds, and nothing else', async (t) => {
  const { folder, sink, part } = await begin(t)
  tamper(folder)
  t.same(numbers(folder), ['2', '3', '4', '5', '6', '7', '8', '9', '10', '99'])
  t.match(await sink(['refill', 'p.yaml', 'one']), {
    code: 0,
    output: 'one: is emptied, and filled from the beginning\n',
  })
  await part('one', ({ lag, records }) => lag.records === 0 && records === 20)
  t.equal(numbers(folder).join(), '1,2,3,4,5,6,7,8,9,10')
})

test('a paused sink is refilled once it is resumed', async (t) => {
  const { folder, sink, part } = await begin(t)
  await sink(['pause', 'p.yaml', 'one'])
  t.match(await sink(['refill', 'p.yaml', 'one']), { output: /, once it is resumed$/m })
  t.same(numbers(folder), [])
  await sink(['resume', 'p.yaml', 'one'])
  await part('one', () => numbers(folder).length === 10)
  t.equal(numbers(folder).length, 10)
})

test('a sink that is rewound reads again, and overwrites nothing', async (t) => {
  const { folder, sink, part } = await begin(t)
  tamper(folder)
  t.match(await sink(['rewind', 'p.yaml', 'one', '--to-beginning']), { code: 0 })
  await part('one', ({ records }) => records === 20)
  t.equal(numbers(folder).join(), '1,2,3,4,5,6,7,8,9,10,99', 'what was lost is back')
  // The counter's fourth number was committed 4 ms into that second.
  const time = new Date(1_700_000_000_004).toISOString()
  const rewound = await sink(['rewind', 'p.yaml', 'one', '--to-time', time])
  t.match(rewound, { code: 0, output: /^one: goes on from 2023-11-14T22:13:20\.004Z/ })
  await part('one', ({ records }) => records === 27)
  t.match(await sink(['rewind', 'p.yaml', 'one', '--to-time', '2100-01-01']), {
    code: 1,
    output: /is as new as that/,
  })
})

test('what cannot be done is said', async (t) => {
  const { sink, stop } = await begin(t)
  t.match(await sink(['pause', 'p.yaml', 'onne']), {
    code: 1,
    output: 'there is no sink "onne"; did you mean one?\n',
  })
  t.match(await sink(['rewind', 'p.yaml', 'one']), { code: 2 })
  t.match(await sink(['rewind', 'p.yaml', 'one', '--to-time', 'soon']), { code: 2 })
  await sink(['pause', 'p.yaml', 'one'])
  await stop()
  t.match(await sink(['refill', 'p.yaml', 'one']), { code: 1, output: /^nothing is running/ })
  t.match(await sink(['resume', 'p.yaml', 'one']), { code: 0, output: /with the next start/ })
})

async function begin(t: Test) {
  const folder = t.testdir({ 'p.yaml': text })
  const run = () => start(standInCli, ['p.yaml'], { cwd: folder })
  let running = run()
  const stop = async () => {
    running.kill('SIGKILL')
    await running.ended
  }
  t.teardown(stop)
  const ask = async (args: readonly string[]) => {
    const { output, ended } = start(cli, args, { cwd: folder })
    const code = await ended
    return { code, output: output() }
  }
  /** The status of a sink, once it is so. */
  const part = async (name: string, isSo: (part: PartStatus) => boolean = () => true) => {
    for (;;) {
      const { code, output } = await ask(['status', 'p.yaml', '--json'])
      const parts = code === 0 ? (JSON.parse(output) as Status).parts : []
      const found = parts.find((each) => each.name === name)
      if (found !== undefined && isSo(found)) return found
    }
  }
  await running.said(/two: running/)
  await part('one', ({ records }) => records === 10)
  return {
    ...{ folder, part, stop },
    sink: (args: readonly string[]) => ask(['sink', ...args]),
    async restart() {
      await stop()
      running = run()
      await running.said(/two: running/)
    },
  }
}

function numbers(folder: string): readonly string[] {
  const database = new DatabaseSync(join(folder, 'one.db'), { readOnly: true })
  const rows = database.prepare('SELECT id FROM numbers ORDER BY CAST(id AS INTEGER)').all()
  database.close()
  return rows.map(({ id }) => String(id))
}

/** Removes one number and adds another, behind the sink's back. */
function tamper(folder: string): void {
  const database = new DatabaseSync(join(folder, 'one.db'), { timeout: 5_000 })
  database.exec(`
    DELETE FROM numbers WHERE id = '1';
    INSERT INTO numbers (id, doc, version, ordinal, key, partition) VALUES ('99', '{}', 1, 0, 0, 0)`)
  database.close()
}
