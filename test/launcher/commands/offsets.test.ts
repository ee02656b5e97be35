import { test } from 'tap'
import { pipeline, runProgram } from './log-program.ts'

test('offsets of readers and writers are shown', async (t) => {
  const { millrace } = await runProgram(t, { 'p.yaml': pipeline })
  const { code, output } = await millrace('offsets', 'show', '--data', 'data/p', '--json')
  t.equal(code, 0)
  const { groups, writers } = JSON.parse(output)
  t.match(groups.map(({ group }: { group: string }) => group).sort(), [
    'p.one.c.numbers',
    'p.views',
  ])
  t.ok(
    writers.some(
      ({ writer, position }: Record<string, string>) => writer === 'p.c' && position === '10',
    ),
  )
  const text = await millrace('offsets', 'show', '--data', 'data/p')
  t.match(text.output, /^READER +SEQUENCE +COMMITS BEHIND +SEEN\n(.|\n)*\np\.c +\S+ +10\n/)
})

test('a trial of rewinding says what would be read again, and changes nothing', async (t) => {
  const { standIn, stop } = await runProgram(t, { 'p.yaml': pipeline })
  const trial = await standIn('rewind', 'p.yaml', 'one', '--dry')
  t.match(trial, { code: 0, output: /^one: from sequence \d+ to 0 of \S+, which has 10 records/ })
  const rewound = await standIn('rewind', 'p.yaml', 'one', '3')
  t.match(rewound.output, /\none: goes on from sequence 3; what it holds stays/)
  t.match(await standIn('rewind', 'p.yaml', 'one', '3000'), { code: 1, output: /has come to/ })
  t.match(await standIn('rewind', 'p.yaml', 'onne'), { code: 1, output: /did you mean one\?/ })
  t.match(await standIn('rewind', 'p.yaml', 'views'), { code: 1, output: /is in use by process/ })
  await stop()
  t.match(await standIn('rewind', 'p.yaml', 'one'), { code: 1, output: /nothing is running/ })
  t.match(await standIn('rewind', 'p.yaml', 'views', '--dry'), {
    code: 0,
    output: 'views: all views are built anew from the log at the next start\n',
  })
})

test('views that were rewound are built anew, and tell only what differs', async (t) => {
  const { standIn, stop, run, millrace } = await runProgram(t, { 'p.yaml': pipeline })
  await stop()
  const topic = ['tap', '__millrace.p.table.c.numbers', '--data', 'data/p']
  const before = await millrace(...topic)
  t.match(await standIn('rewind', 'p.yaml', 'views'), { code: 0 })
  t.match(await standIn('plan', 'p.yaml'), { code: 2, output: /all views are built anew/ })
  await run()
  await stop()
  t.equal((await millrace(...topic)).output, before.output)
  t.match(await standIn('plan', 'p.yaml'), { code: 0 })
})
