import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'
import { kafkaProgram } from './kafka-program.ts'

const picky = '  picky: {type: file, does: refuse, mended: mended, from: $topic}'

test('dead letters on Kafka are listed, shown, skipped, replayed and exported', async (t) => {
  const program = await kafkaProgram(t, {
    ...{ sinks: picky, log: ', partitions: 2' },
    connector: ', again: again',
  })
  const { ask, topic, folder } = program
  await program.run()
  const list = async (...more: readonly string[]) =>
    (await ask('dlq', 'p.yaml', 'ls', ...more)).json
  let letters = await list()
  while (letters.length < 10) letters = await list()
  t.match(letters[0], { topic, code: 'no', attempts: 1, state: 'open' })
  t.same(new Set(letters.map(({ partition }) => partition)), new Set([0, 1]))
  const [{ id, key }] = letters
  const shown = await ask('dlq', 'p.yaml', 'show', id)
  t.match(shown.json, [{ id, key, value: /"after":\{"id":\d+\}/, state: 'open' }])
  t.match(shown.json[0].headers, {
    '__connect.errors.topic': topic,
    'millrace.attempts': '1',
  })
  t.equal((await ask('dlq', 'p.yaml', 'export')).json.length, 10)

  const last = letters.findLast(
    (letter) => !['{"id":1}', '{"id":2}', '{"id":3}'].includes(letter.key),
  )
  t.match((await ask('dlq', 'p.yaml', 'skip', last.id)).json, [
    { id: last.id, state: 'skipped', note: 'skipped by an operator' },
  ])
  t.equal((await list()).length, 9)
  t.match((await ask('status', 'p.yaml')).json[0]?.parts[1], { name: 'picky', letters: 9 })

  writeFileSync(join(folder, 'again'), '')
  while ((await list()).length < 12);
  writeFileSync(join(folder, 'mended'), '')
  const replayed = await ask('dlq', 'p.yaml', 'replay')
  t.equal(replayed.code, 0)
  const states = Map.groupBy(replayed.json, ({ state }) => state)
  t.match(states.get('outdated'), [
    { note: /^the key has a newer record, at offset \d+$/ },
    { note: /^the key has a newer record, at offset \d+$/ },
    { note: /^the key was deleted, at offset \d+$/ },
  ])
  t.equal(states.get('written')?.length, 9, 'six of the first ones, and the three newest')
  t.equal((await list()).length, 0)
  await program.stop()
  const after = await ask('dlq', 'p.yaml', 'ls')
  t.match(after, { code: 0, output: '' }, 'also while nothing runs')
  t.match(await ask('dlq', 'p.yaml', 'replay', last.id), { code: 1, output: /nothing is running/ })
})
