import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Test, test } from 'tap'
import { runProgram } from './log-program.ts'

const streams = new URL('../../../src/streams/stream-topology.ts', import.meta.url)

const topology = (factor: number) => `import { defineTopology } from '${streams}'
export const times = defineTopology(({ stream }) => {
  stream('c.numbers').mapValues(({ id }) => ({ id: ${factor} * id })).to('p.times')
})
`

const pipeline = `name: p
connectors:
  c: {type: counter}
views:
  times: {module: ./times.mjs}
sinks:
  one: {type: sqlite, from: times, path: one.db, table: times}
`

async function runTopology(t: Test) {
  const program = await runProgram(t, { 'p.yaml': pipeline, 'times.mjs': topology(2) })
  const { standIn, millrace, folder } = program
  const write = (name: string, text: string) => writeFileSync(join(folder, name), text)
  return {
    ...program,
    write,
    reset: async (name: string) => {
      const { code, output } = await standIn('reset', 'p.yaml', name)
      return { code, output, told: code === 0 ? JSON.parse(output) : {} }
    },
    /** What a start would change of topologies. */
    plan: async () => {
      const { output } = await standIn('plan', 'p.yaml', '--people')
      return output.match(/^.*topology.*$/gm) ?? []
    },
    /** Once the topology has told so much. */
    untilTold: async (end: number) => {
      for (;;) {
        const show = ['topics', 'show', 'p.times', '--data', 'data/p', '--json']
        if ((await millrace(...show)).output.includes(`"end":${end}`)) return
      }
    },
  }
}

test('a topology that is reset begins anew at the next start', async (t) => {
  const { untilTold, reset, stop, run, plan } = await runTopology(t)
  await untilTold(10)
  t.match(await reset('times'), { code: 1, output: /is in use by process \d+\. Stop it first/ })
  await stop()
  t.same(await plan(), [])
  t.match(await reset('tims'), {
    code: 1,
    output: /no view or topology "tims"; did you mean times/,
  })
  const told = { v: 1, name: 'times', kind: 'topology', reset: true, rebuilt: ['times'] }
  t.match(await reset('times'), { code: 0, told })
  t.match(await plan(), ['~ topology times: begins anew from the log'])
  await run()
  await untilTold(20)
  await stop()
  t.same(await plan(), [])
})

test('views are reset together, and tell only what differs', async (t) => {
  const { untilTold, reset, stop, run, write, folder, millrace } = await runTopology(t)
  await untilTold(10)
  await stop()
  const two = '  two: {type: sqlite, from: c.numbers, path: two.db, table: numbers}\n'
  write('p.yaml', readFileSync(join(folder, 'p.yaml'), 'utf8') + two)
  const name = 'table.c.numbers'
  t.match(await reset(name), { code: 0, told: { reset: false, what: /nothing to reset/ } })
  await run()
  const show = ['topics', 'show', `__millrace.p.${name}`, '--data', 'data/p', '--json']
  while (!(await millrace(...show)).output.includes('"end":10'));
  await stop()
  const told = { kind: 'view', reset: true, rebuilt: [name], what: /only differences are told/ }
  t.match(await reset(name), { code: 0, told })
  await run()
  await stop()
  t.match((await millrace(...show)).output, '"end":10')
})

test('a plan tells topologies that are new, changed or removed', async (t) => {
  const { untilTold, stop, write, plan, standIn } = await runTopology(t)
  await untilTold(10)
  await stop()
  t.same(await plan(), [], 'one that is kept goes without saying')
  write('times.mjs', topology(3))
  t.same(await plan(), [
    '~ topology times: begins anew from the log; all is told again with new versions, and keys that no longer occur stay in its topics',
  ])
  write('times.mjs', topology(2).replace('\n})', '\n}, { idleMs: 5 })'))
  t.same(await plan(), ['~ topology times: goes on from where it has come to'])
  write('times.mjs', topology(2))
  write(
    'p.yaml',
    pipeline.replace('times: {', 'again: {export: times, ').replace('from: times', 'from: p.times'),
  )
  t.same(await plan(), [
    '+ topology again: is built from the log',
    '- topology times: reads and writes no more; its state and its topics stay',
  ])
  for (const name of ['c', 'views']) {
    write('p.yaml', pipeline.replace('times: {', `${name}: {export: times, `).split('sinks')[0]!)
    const output = /cannot have the name of a connector, or `views`/
    t.match(await standIn('plan', 'p.yaml', '--people'), { code: 1, output })
  }
})
