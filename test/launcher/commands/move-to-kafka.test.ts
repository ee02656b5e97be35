import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { setTimeout as sleep } from 'node:timers/promises'
import { test } from 'tap'
import { standInCli, start } from '../child.ts'
import { kafkaProgram } from './kafka-program.ts'

test('a pipeline moves to Kafka, and a sink that is paused before keeps what it holds', async (t) => {
  const program = await kafkaProgram(t, {
    sinks: '  one: {type: sqlite, from: $topic, path: one.db, table: numbers}',
    connector: ', again: again',
  })
  const { ask, prefix, topic, folder } = program
  const embedded = join(folder, 'embedded.yaml')
  writeFileSync(
    embedded,
    `name: ${prefix}
log: {path: embedded}
connectors: {${prefix}c: {type: counter}}
sinks: {one: {type: sqlite, from: ${topic}, path: one.db, table: numbers}}
`,
  )
  const before = start(standInCli, [embedded], { cwd: folder })
  await before.said(/one: running/)
  while (numbers(folder).length < 10);
  before.kill('SIGTERM')
  await before.ended

  t.same((await ask('copy', embedded, 'p.yaml')).json, [
    { topic, records: 10 },
    { connector: `${prefix}c`, position: 'copied', what: 'goes on here from where it was there' },
  ])
  t.match(await ask('sink', 'p.yaml', 'pause', 'one'), {
    code: 0,
    output: 'one: is paused from the next start on\n',
  })
  await program.run()
  t.equal(numbers(folder).length, 10, 'it holds what it held')
  // What it reads is built first.
  while ((await ask('rewind', 'p.yaml', 'one', 'beginning')).code !== 0) await sleep(100)
  t.match(await ask('sink', 'p.yaml', 'resume', 'one'), { code: 0 })
  writeFileSync(join(folder, 'again'), '')
  let held = numbers(folder)
  while (held.includes('3') && held.length === 10) held = numbers(folder)
  t.equal(held.length, 9, 'nothing was taken away meanwhile')
  t.notOk(held.includes('3'))
  const [verified] = (await ask('verify', 'p.yaml', 'one')).json
  t.match(verified, { documents: { topic: 9, sink: 9 }, differences: [] })
  const { parts } = (await ask('status', 'p.yaml')).json[0]
  t.equal(parts[0].records, 3, 'the connector went on from where it was')
})

function numbers(folder: string): readonly string[] {
  try {
    const db = new DatabaseSync(join(folder, 'one.db'), { readOnly: true })
    const rows = db.prepare('SELECT id FROM numbers').all()
    db.close()
    return rows.map(({ id }) => String(id))
  } catch {
    return [] // Not made yet.
  }
}
