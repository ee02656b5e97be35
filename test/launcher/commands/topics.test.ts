import { test } from 'tap'
import { pipeline, runProgram } from './log-program.ts'

test('topics are listed with what they hold and keep, while the pipeline runs', async (t) => {
  const { millrace, standIn } = await runProgram(t, { 'p.yaml': pipeline })
  const { code, output } = await standIn('topics', 'p.yaml')
  t.equal(code, 0)
  const reports = output
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
  t.match(reports, [
    { topic: '__millrace.p.table.c.numbers', cleanup: 'compact' },
    {
      ...{ topic: 'c.numbers', cleanup: 'delete after 7 d', start: 0, end: 10 },
      ...{ writers: ['p.c'], newest: '2023-11-14T22:13:20.010Z' },
      groups: [{ group: 'p.views', topics: ['c.numbers'] }],
    },
  ])
  const listed = await millrace('topics', 'ls', '--data', 'data/p')
  t.match(listed.output, /^TOPIC +OFFSETS +SIZE +NEWEST .*\n.*\nc\.numbers +10 +\S+ \w+ +2023-/)
  const shown = await millrace('topics', 'show', 'c.numbers', '--data', 'data/p')
  t.match(shown.output, /^c\.numbers\n {2}offsets +0 … 10\n(.|\n)*read by +p\.views, \d+ commits/)
  t.match(await millrace('topics', 'show', 'c.number', '--data', 'data/p'), {
    code: 1,
    output: 'there is no topic c.number; did you mean c.numbers?\n',
  })
})

test('topics are copied to another log once, with keys, versions and tombstones', async (t) => {
  const { millrace } = await runProgram(t, { 'p.yaml': pipeline })
  const copy = () => millrace('topics', 'copy', 'data/p', 'copy', 'c.numbers', '--json')
  t.match(await copy(), { code: 0, output: '{"topic":"c.numbers","records":10}\n' })
  t.match(await copy(), { code: 0, output: '{"topic":"c.numbers","records":0}\n' })
  const tap = async (data: string) => {
    const { output } = await millrace('tap', 'c.numbers', '--data', data, '--json', '--limit', '10')
    return output
      .split('\n')
      .filter((line) => line.startsWith('{'))
      .map((line) => JSON.parse(line))
      .map(({ sequence: _, ...rest }) => rest)
  }
  const copied = await tap('copy')
  t.equal(copied.length, 10)
  t.same(copied, await tap('data/p'))
  t.match(await millrace('topics', 'copy', 'data/p', 'copy', 'none'), {
    code: 1,
    output: /^there is no topic none/,
  })
  t.match(await millrace('topics', 'copy', 'nowhere', 'copy'), { code: 1, output: /holds no log/ })
})
