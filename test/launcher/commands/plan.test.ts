import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'
import { pipeline, runProgram } from './log-program.ts'

test('before the first start everything is new, afterwards nothing', async (t) => {
  const { folder, standIn, stop } = await runProgram(t, { 'p.yaml': pipeline })
  await stop()
  t.match(await standIn('plan', 'p.yaml', '--people'), { code: 0, output: 'nothing changes\n' })
  const again = pipeline.replace('name: p', 'name: q')
  writeFileSync(join(folder, 'q.yaml'), again)
  const { code, output } = await standIn('plan', 'q.yaml', '--people')
  t.equal(code, 2)
  t.match(output, '+ connector c: begins with its snapshot\n')
  t.match(output, '+ sink one: is filled from the beginning of what it reads\n')
  t.match(output, '+ view table.c.numbers: is built from the log\n')
  t.match(output, /\+ topic c\.numbers: is made .*; cleanup: delete after 7 d\n/)
  t.match(output, /5 new, 0 changed, 0 removed\n$/)
})

test('what a configuration would change is listed', async (t) => {
  const { folder, standIn, stop } = await runProgram(t, { 'p.yaml': pipeline })
  await stop()
  const next = `name: p
connectors:
  c: {type: counter, until: 12}
sinks:
  two: {type: file, from: c.numbers, password: hush}
topics:
  c.numbers: {cleanup.policy: compact}
`
  writeFileSync(join(folder, 'p.yaml'), next)
  const { code, output } = await standIn('plan', 'p.yaml')
  t.equal(code, 2)
  const { changes } = JSON.parse(output) as { changes: Record<string, string>[] }
  t.same(
    changes.map(({ kind, name, change }) => `${change} ${kind} ${name}`),
    [
      'changed connector c',
      'removed view table.c.numbers',
      'new sink two',
      'removed sink one',
      'changed topic c.numbers',
      'removed group p.one.c.numbers',
      'removed group p.views',
    ],
  )
  t.match(changes[4]?.what, 'cleanup: compact, was delete after 7 d')
  t.notMatch(output, 'hush')
})

test('a configuration that is not valid cannot be planned', async (t) => {
  const { folder, standIn } = await runProgram(t, { 'p.yaml': pipeline })
  writeFileSync(join(folder, 'p.yaml'), 'name: p\n')
  t.match(await standIn('plan', 'p.yaml', '--people'), {
    code: 1,
    output: /p\.yaml:1:1: needs `connectors`/,
  })
})
