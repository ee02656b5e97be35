import { mkdirSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'
import { pipeline, runProgram } from './log-program.ts'

test('a backup that is taken while the pipeline runs is restored as a data directory', async (t) => {
  const { folder, millrace, stop, run } = await runProgram(t, { 'p.yaml': pipeline })
  const taken = await millrace('backup', 'backup', '--data', 'data/p')
  t.match(taken, { code: 0, output: /^copied to .*backup: 2 topics, \d+ commits, \d+ kB\n$/ })
  t.match(await millrace('backup', 'backup', '--data', 'data/p'), {
    code: 1,
    output: /backup is not empty\n$/,
  })
  const back = () => millrace('restore', 'backup', '--data', 'data/p', '--json')
  t.match(await back(), { code: 1, output: /holds data already: move it away first/ })
  await stop()
  renameSync(join(folder, 'data'), join(folder, 'away'))
  t.match(await back(), { code: 0, output: /"topics":2/ })
  const tapped = await millrace('tap', 'c.numbers', '--data', 'data/p', '--json')
  t.equal(tapped.output.split('\n').filter((line) => line.startsWith('{')).length, 10)
  await run()
  await stop()
})

test('what is no backup is not restored', async (t) => {
  const { folder, millrace } = await runProgram(t, { 'p.yaml': pipeline })
  mkdirSync(join(folder, 'junk'))
  t.match(await millrace('restore', 'junk', '--data', 'new'), { output: /holds no backup/ })
  writeFileSync(join(folder, 'junk', 'log.mdb'), Buffer.alloc(100_000, 1))
  t.match(await millrace('restore', 'junk', '--data', 'new'), { output: /^LOG_CORRUPT/ })
})
