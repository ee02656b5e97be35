import { test } from 'tap'
import type { Position } from '../../src/core/source.ts'
import { exchangedAt, exchangeTasks, forgetTask, knowsTask } from '../../src/log/exchange.ts'
import { LogTask } from '../../src/log/task.ts'
import { openFor } from './logs.ts'

const key = Buffer.from('k')

test('two tasks take over each other, and stay so', async (t) => {
  const opened = await openFor(t)
  for (const [name, value] of [
    ['a', 'of a'],
    ['b', 'of b'],
  ] as const) {
    const task = new LogTask(opened.log, name)
    await task.resume('')
    task.store.put(key, Buffer.from(value))
    await task.commit({ source: '', position: `at ${name}` as Position, timestamp: 1 })
  }
  await exchangeTasks(opened.log, 'a', 'b')
  const log = await opened.reopen()
  for (const [name, other] of [
    ['a', 'b'],
    ['b', 'a'],
  ] as const) {
    const task = new LogTask(log, name)
    t.equal(await task.resume(''), `at ${other}`)
    t.equal(String(task.store.get(key)), `of ${other}`)
  }
  t.type(exchangedAt(log.environment, 'a'), 'number')
})

test('a task that is forgotten leaves the others as they are, and may begin again', async (t) => {
  const { log } = await openFor(t)
  for (const name of ['a', 'b']) {
    const task = new LogTask(log, name)
    for (let i = 0; i < 6_000; i++) task.store.put(Buffer.from(`k${i}`), Buffer.from(name))
    await task.commit({ source: '', position: name as Position, timestamp: 1 })
  }
  await forgetTask(log, 'a')
  t.notOk(knowsTask(log.environment, 'a'))
  const other = new LogTask(log, 'b')
  t.equal([...other.store.scan(Buffer.alloc(0))].length, 6_000)
  t.equal(await other.resume(''), 'b')
  const again = new LogTask(log, 'a')
  t.equal(await again.resume(''), undefined)
  t.equal([...again.store.scan(Buffer.alloc(0))].length, 0)
  t.equal([...log.environment.state.getKeys()].length, 6_000)
  await forgetTask(log, 'never there')
})
