import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { type Test, test } from 'tap'
import type { Verified } from '../../../src/launcher/inspect/verify.ts'
import { type Child, cli, standInCli, start } from '../child.ts'

const text = `name: p
connectors:
  c: {type: counter, until: 50}
sinks:
  one: {type: sqlite, from: c.numbers, path: one.db, table: numbers}
  two: {type: file, from: c.numbers}
`

test('a sink that holds what its topic says has no difference', async (t) => {
  const { verify } = await begin(t)
  const { code, found } = await verify()
  t.equal(code, 0)
  t.match(found, { sink: 'one', documents: { topic: 50, sink: 50 }, compared: 50, offset: '49' })
  t.match(found, { differences: [], pending: 0, unsettled: 0 })
})

test('what is missing, extra or different is listed, and mended through the running sink', async (t) => {
  const { verify, sql, ask } = await begin(t)
  sql(`
    DELETE FROM numbers WHERE id = '1';
    UPDATE numbers SET doc = '{"id":2,"x":1}' WHERE id = '2';
    UPDATE numbers SET doc = '{ "id" : 3 }' WHERE id = '3';
    UPDATE numbers SET version = 1 WHERE id = '4';
    UPDATE numbers SET version = version + 1 WHERE id = '5';
    INSERT INTO numbers (id, doc, version, ordinal, key, partition)
      VALUES ('99', '{"secret":true}', 7, 0, 0, 0), ('a "b"', '{}', 7, 0, 0, 0)`)
  const { code, found } = await verify()
  t.equal(code, 1)
  const kinds = Object.fromEntries(found.differences.map(({ id, kind }) => [id, kind]))
  const expected = { 1: 'missing', 2: 'different', 4: 'different', 5: 'different', 99: 'extra' }
  t.same(kinds, { ...expected, 'a "b"': 'extra' })
  t.match(found.documents, { topic: 50, sink: 51 })
  const people = await ask(standInCli, ['verify', 'p.yaml', 'one', '--people'])
  t.match(people.output, /^extra {6}99 {2}version none in the topic, 7 in the sink$/m)
  t.match(people.output, /^6 differences; --repair mends$/m)

  const repaired = await verify('--repair')
  t.equal(repaired.code, 1)
  const notes = repaired.found.differences.filter((each) => !('mended' in each && each.mended))
  t.match(notes, [{ id: '5', note: 'the sink holds a newer version than the topic: refill it' }])
  t.same(
    (await verify()).found.differences.map(({ id }) => id),
    ['5'],
  )
  await ask(cli, ['sink', 'refill', 'p.yaml', 'one'])
  t.match(await verify(), { code: 0, found: { differences: [] } })
})

test('a sample compares so many, and counts all', async (t) => {
  const { verify, sql } = await begin(t)
  t.match(await verify('--sample', '7'), { code: 0, found: { compared: 7, differences: [] } })
  sql("UPDATE numbers SET doc = '{}'")
  const { code, found } = await verify('--sample', '7')
  t.equal(code, 1)
  t.equal(found.differences.length, 7)
  t.match(found.documents, { topic: 50, sink: 50 })
})

test('without a running pipeline it compares what is there, and mends nothing', async (t) => {
  const { verify, sql, run, ask } = await begin(t)
  run.kill('SIGKILL')
  await run.ended
  t.match(await verify(), { code: 0, found: { differences: [], pending: 0 } })
  sql("DELETE FROM numbers WHERE id = '1'")
  t.match(await verify(), { code: 1, found: { differences: [{ id: '1', kind: 'missing' }] } })
  const repair = await ask(standInCli, ['verify', 'p.yaml', 'one', '--repair'])
  t.equal(repair.code, 1)
  t.match(repair.output, /start the pipeline first/)
  sql("UPDATE millrace_checkpoint SET value = json_replace(value, '$.position', NULL)")
  t.match(await verify(), { code: 0, found: { differences: [], pending: 1 } })
})

test('a key is followed from its topic into the sink', async (t) => {
  const { explain, sql } = await begin(t)
  for (const key of ['7', '{"id":7}', '{ "id": 7 }']) {
    const { code, output } = await explain(key)
    t.equal(code, 0)
    t.match(JSON.parse(output), {
      ...{ sink: 'one', key: '{"id":7}', id: '7', verdict: 'agree', letters: [] },
      document: { version: /^\d+$/, deleted: false },
      records: [
        { topic: 'c.numbers', offset: '6', version: '7', does: 'write' },
        { topic: 'p.table.c.numbers', offset: '6', does: 'write' },
      ],
    })
  }
  sql("UPDATE numbers SET doc = '{}' WHERE id = '7'; DELETE FROM numbers WHERE id = '8'")
  t.match(JSON.parse((await explain('7')).output), { verdict: 'differ' })
  t.match(JSON.parse((await explain('8')).output), { verdict: 'differ', document: null })
  const people = await explain('8', '--people')
  t.match(people.output, /^document 8 in one: none\ntopic and sink differ: /m)
  t.match(await explain('nobody'), { code: 1, output: 'null\n' })
})

test('a sink that cannot be read back is named, as is one that is not there', async (t) => {
  const { ask } = await begin(t)
  const file = await ask(standInCli, ['verify', 'p.yaml', 'two'])
  t.match(file.output, /two: what a sink of type file has written cannot be read/)
  const none = await ask(standInCli, ['explain', 'p.yaml', 'onne', '7'])
  t.match(none.output, /there is no sink "onne"; did you mean one\?/)
})

async function begin(t: Test) {
  const folder = t.testdir({ 'p.yaml': text })
  const run: Child = start(standInCli, ['p.yaml'], { cwd: folder })
  t.teardown(async () => {
    run.kill('SIGKILL')
    await run.ended
  })
  await run.said(/one: running/)
  const ask = async (program: string, args: readonly string[]) => {
    const { output, ended } = start(program, args, { cwd: folder })
    const code = await ended
    return { code, output: output() }
  }
  const verify = async (...more: readonly string[]) => {
    const { code, output } = await ask(standInCli, ['verify', 'p.yaml', 'one', ...more])
    const line = output.split('\n').find((each) => each.startsWith('{')) ?? output
    return { code, found: JSON.parse(line) as Verified }
  }
  const explain = (key: string, ...more: readonly string[]) =>
    ask(standInCli, ['explain', 'p.yaml', 'one', key, ...more])
  const sql = (statements: string) => {
    const database = new DatabaseSync(join(folder, 'one.db'), { timeout: 5_000 })
    database.exec(statements)
    database.close()
  }
  while ((await verify()).found.documents.sink !== 50);
  return { run, verify, explain, ask, sql }
}
