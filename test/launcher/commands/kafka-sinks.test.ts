import { randomBytes } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { test } from 'tap'
import type { PartStatus } from '../../../src/launcher/inspect/status.ts'
import { useElasticsearch } from '../../support/servers/use.ts'
import { type KafkaProgram, kafkaProgram } from './kafka-program.ts'

t.setTimeout(300_000) // Two cores that also compile make a search server slow.

const spread = { log: ', partitions: 2', topics: 'topics: {"__millrace.*": {partitions: 2}}' }

test('a sink of several partitions is paused, resumed and refilled as a whole', async (t) => {
  const program = await kafkaProgram(t, {
    ...{ sinks: '  one: {type: sqlite, from: $topic, path: one.db, table: numbers}', ...spread },
    connector: ', again: again',
  })
  const { ask, folder } = program
  await program.run()
  await until(program, ({ records }) => records === 10)
  const running = await until(program, ({ partitions = [] }) => partitions.length === 2)
  t.match(running, { partitions: [{ partition: 0 }, { partition: 1 }], members: [/ at 127/] })
  t.match(
    (await ask('status', 'p.yaml', '--people')).output,
    /^one: read by .*\/0 at \d+, .*\/1 at /m,
  )
  t.match(await ask('sink', 'p.yaml', 'pause', 'one'), { code: 0, output: /^one: paused/ })
  writeFileSync(join(folder, 'again'), '')
  await until(program, ({ state, pending = 0 }) => state === 'paused' && pending > 0)
  t.equal(count(folder), 10, 'nothing is written meanwhile, from either partition')
  t.match(await ask('sink', 'p.yaml', 'resume', 'one'), {
    output: 'one: goes on from where it was\n',
  })
  await until(program, ({ state, pending }) => state === 'running' && pending === 0)
  t.equal(count(folder), 9)
  const db = new DatabaseSync(join(folder, 'one.db'))
  db.exec(`DELETE FROM numbers WHERE id IN ('4', '5', '6', '7', '8')`)
  db.close()
  t.match(await ask('sink', 'p.yaml', 'refill', 'one'), {
    code: 0,
    output: 'one: is emptied, and filled from the beginning\n',
  })
  while (count(folder) < 9) await sleep(50)
  t.equal(count(folder), 9)
})

test('an index is exchanged for a new one that two partitions fill', async (t) => {
  const { url } = await useElasticsearch(t)
  const index = `t${randomBytes(4).toString('hex')}`
  const sinks = `  one: {type: elasticsearch, from: $topic, url: "${url}", index: ${index}}`
  const program = await kafkaProgram(t, { sinks, ...spread })
  const { ask } = program
  await program.run()
  await until(program, ({ records }) => records === 10)
  const { code, output } = await ask('reindex', 'p.yaml', 'one')
  t.equal(code, 0, output)
  t.match(output, `${index}-r2 serves as ${index} now; ${index}-r1 is kept`)
  for (;;) {
    const [verified] = (await ask('verify', 'p.yaml', 'one')).json
    if (verified.pending > 0) continue
    t.match(verified, { documents: { topic: 10, sink: 10 }, differences: [] })
    break
  }
  t.match(await ask('reindex', 'p.yaml', 'one', 'finish'), {
    code: 0,
    output: new RegExp(`${index}-r1 was removed`),
  })
})

async function until(
  { ask }: KafkaProgram,
  isSo: (part: PartStatus) => boolean,
): Promise<PartStatus> {
  for (;;) {
    const { parts } = (await ask('status', 'p.yaml')).json[0] as { parts: readonly PartStatus[] }
    const part = parts.find(({ kind }) => kind === 'sink')!
    if (isSo(part)) return part
  }
}

function count(folder: string): number {
  const db = new DatabaseSync(join(folder, 'one.db'), { readOnly: true })
  const [row] = db.prepare('SELECT count(*) AS n FROM numbers').all()
  db.close()
  return Number(row!.n)
}
