import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Test, test } from 'tap'
import type { PartStatus, Status } from '../../src/launcher/inspect/status.ts'
import { cli, start } from '../launcher/child.ts'
import { usePostgres } from '../support/servers/use.ts'
import { until } from './pipeline.ts'

const pipeline = `
name: p
connectors:
  db: {type: postgres, url: '\${URL}', slot.name: '\${SLOT}_a', tables: [public.a]}
  other: {type: postgres, url: '\${URL}', slot.name: '\${SLOT}_b', tables: [public.b]}
sinks:
  one: {type: file, from: db.public.a, path: one.ndjson}
  two: {type: file, from: other.public.b, path: two.ndjson}
`

/** The program as users start it, on two connectors to one database. */
async function begin(t: Test) {
  const { query, url, database } = await usePostgres(t)
  await query(`
    CREATE TABLE a (id int PRIMARY KEY, note text); INSERT INTO a VALUES (1, 'first of a');
    CREATE TABLE b (id int PRIMARY KEY, note text); INSERT INTO b VALUES (1, 'first of b')`)
  const folder = t.testdir({ 'p.yaml': pipeline })
  const options = { cwd: folder, env: { URL: url, SLOT: database } }
  const run = () => start(cli, ['run', 'p.yaml'], options)
  let running = run()
  const stop = async () => {
    running.kill('SIGTERM')
    await running.ended
  }
  t.teardown(stop)
  const ask = async (...args: readonly string[]) => {
    const { output, ended } = start(cli, args, options)
    const code = await ended
    return { code, output: output() }
  }
  const part = async (name: string, isSo: (part: PartStatus) => boolean): Promise<PartStatus> => {
    let found: PartStatus | undefined
    const look = async () => {
      const { code, output } = await ask('status', 'p.yaml', '--json')
      const parts = code === 0 ? (JSON.parse(output) as Status).parts : []
      found = parts.find((each) => each.name === name)
      return found !== undefined && isSo(found)
    }
    await until(look, () => JSON.stringify(found))
    return found!
  }
  const count = (text: string) => {
    const path = join(folder, text.endsWith('a') ? 'one.ndjson' : 'two.ndjson')
    return existsSync(path) ? readFileSync(path, 'utf8').split(text).length - 1 : 0
  }
  const comes = (text: string, times = 1) =>
    until(
      () => count(text) >= times,
      () => running.output(),
    )
  await Promise.all([comes('first of a'), comes('first of b')])
  return {
    ...{ query, ask, part, comes, count, stop },
    async restart() {
      await stop()
      running = run()
      await running.said(/other: running/)
    },
  }
}

test('a paused connector stands still while the others go on, also over a restart', async (t) => {
  const { query, ask, part, comes, count, restart } = await begin(t)
  t.match(await ask('connector', 'pause', 'p.yaml', 'db'), {
    code: 0,
    output: /^db: paused, also over a restart/,
  })
  t.match(await ask('connector', 'pause', 'p.yaml', 'db'), { output: /is paused already, since 2/ })
  await query("INSERT INTO a VALUES (2, 'second of a'); INSERT INTO b VALUES (2, 'second of b')")
  await comes('second of b')
  // The WAL that is kept meanwhile is looked at, too.
  const isSeen = ({ state, detail, retainedBytes }: PartStatus) =>
    state === 'paused' && detail?.wal !== undefined && (retainedBytes ?? 0) > 0
  const paused = await part('db', isSeen)
  t.match(paused.reason, /^paused by an operator at \S+; `millrace connector resume` lets it go on/)
  t.equal(count('second of a'), 0)
  await restart()
  await query("INSERT INTO b VALUES (3, 'third of b')")
  await comes('third of b')
  t.equal((await part('db', () => true)).state, 'paused')
  t.equal(count('second of a'), 0)
  t.match(await ask('connector', 'resume', 'p.yaml', 'db'), {
    code: 0,
    output: 'db: goes on from where it was\n',
  })
  await comes('second of a')
  t.equal(count('second of a'), 1)
  t.match(await ask('connector', 'resume', 'p.yaml', 'db'), { output: /is not paused by an oper/ })
})

test('a connector is started again, and a wrong name is told', async (t) => {
  const { query, ask, comes, count, stop } = await begin(t)
  t.match(await ask('connector', 'restart', 'p.yaml', 'db'), {
    code: 0,
    output: 'db: is started again, from where it was\n',
  })
  await query("INSERT INTO a VALUES (2, 'second of a')")
  await comes('second of a')
  t.equal(count('first of a'), 1, 'nothing is read again')
  t.match(await ask('connector', 'pause', 'p.yaml', 'dc'), {
    code: 1,
    output: /there is no connector "dc"; did you mean .*db/,
  })
  await ask('connector', 'pause', 'p.yaml', 'db')
  t.match(await ask('connector', 'restart', 'p.yaml', 'db'), { output: /is paused by an operator/ })
  await stop()
  t.match(await ask('connector', 'restart', 'p.yaml', 'db'), { code: 1, output: /nothing is runn/ })
  t.match(await ask('connector', 'resume', 'p.yaml', 'db'), {
    code: 0,
    output: 'db: goes on with the next start\n',
  })
})

test('the command `snapshot` reads tables again while the pipeline runs', async (t) => {
  const { ask, comes, part, stop } = await begin(t)
  await part('db', ({ phase }) => phase === 'streaming')
  const snapshot = (...words: readonly string[]) => ask('snapshot', ...words, '--config', 'p.yaml')
  t.match(await snapshot('db', 'public.a'), { code: 0, output: /^snapshot of public\.a\n$/ })
  await comes('first of a', 2)
  t.match(await snapshot('db', 'public.a', '--where', 'id < 0'), { code: 0, output: /public\.a/ })
  t.match(await snapshot('db', 'status'), { code: 0 })
  t.match(await snapshot('db'), { code: 0 })
  t.match(await snapshot('db', 'pause'), { code: 0, output: /paused/ })
  t.match(await snapshot('db', 'resume'), { code: 0 })
  t.match(await snapshot('db', 'cancel'), { code: 0 })
  t.match(await snapshot('db', 'public.b'), { output: /no table that is read is called public\.b/ })
  t.match(await snapshot('dd', 'public.a'), { code: 1, output: /No connector is called dd/ })
  await stop()
  t.match(await snapshot('db', 'public.a'), { code: 1, output: /Nothing is running on/ })
})
