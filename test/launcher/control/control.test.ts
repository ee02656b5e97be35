import { existsSync, mkdirSync, statSync, writeFileSync } from 'node:fs'
import { createConnection } from 'node:net'
import { join } from 'node:path'
import { test } from 'tap'
import {
  type Answer,
  askControl,
  controlAddress,
  serveControl,
} from '../../../src/launcher/control/control.ts'

const count: Answer = async function* () {
  for (let i = 1; i <= 3; i++) yield { i }
}

test('a question is answered line by line', async (t) => {
  const folder = t.testdir({})
  const close = await serveControl(folder, count)
  t.same(await all(askControl(folder, { ask: 'status' })), [{ i: 1 }, { i: 2 }, { i: 3 }])
  await close()
})

test('nobody there is told from nothing to say', async (t) => {
  t.equal(await askControl(t.testdir({}), { ask: 'status' }), undefined)
})

test('what a crash has left behind does not stand in the way', async (t) => {
  const folder = t.testdir({})
  writeFileSync(controlAddress(folder), '')
  t.equal(await askControl(folder, { ask: 'status' }), undefined)
  const close = await serveControl(folder, count)
  t.equal((await all(askControl(folder, { ask: 'status' }))).length, 3)
  await close()
})

test('a directory too deep for the address of a socket works all the same', async (t) => {
  const folder = join(t.testdir({}), 'deep'.repeat(30))
  mkdirSync(folder, { recursive: true })
  const close = await serveControl(folder, count)
  t.equal(statSync(controlAddress(folder)).mode & 0o777, 0o600)
  t.equal((await all(askControl(folder, { ask: 'status' }))).length, 3)
  await close()
  t.notOk(existsSync(controlAddress(folder)))
})

test('whoever has enough ends the answer', async (t) => {
  const folder = t.testdir({})
  const ended = Promise.withResolvers<void>()
  const close = await serveControl(folder, async function* (_, signal) {
    try {
      for (let i = 0; !signal.aborted; i++) yield { i, fill: 'x'.repeat(10_000) }
    } finally {
      ended.resolve()
    }
  })
  const answers = await askControl(folder, { ask: 'tap', topic: 'a', from: 'beginning' })
  for await (const answer of answers ?? []) {
    t.match(answer, { i: 0 })
    break
  }
  await ended.promise
  await close()
})

test('a failure is an answer, and the server goes on', async (t) => {
  const folder = t.testdir({})
  const close = await serveControl(folder, async function* ({ ask }) {
    if (ask === 'tap') throw new Error('there is no such topic')
    yield {}
  })
  const asked = all(askControl(folder, { ask: 'tap', topic: 'a', from: 'end' }))
  await t.rejects(asked, { message: 'there is no such topic' })
  t.equal((await all(askControl(folder, { ask: 'status' }))).length, 1)
  await close()
})

test('what is no question is refused', async (t) => {
  const folder = t.testdir({})
  const close = await serveControl(folder, count)
  for (const line of ['nonsense\n', '{"ask":"stop"}\n', `${'x'.repeat(70_000)}`]) {
    const socket = createConnection(controlAddress(folder))
    socket.write(line)
    let answer = ''
    for await (const chunk of socket.setEncoding('utf8')) answer += chunk
    t.match(answer, /^\{"error":/)
  }
  await close()
})

async function all(asked: Promise<AsyncIterable<unknown> | undefined>): Promise<unknown[]> {
  const answers: unknown[] = []
  for await (const answer of (await asked) ?? []) answers.push(answer)
  return answers
}
