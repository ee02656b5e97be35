import { test } from 'tap'
import { Memory } from './observer.ts'

const look = (versions: Readonly<Record<string, bigint>>) => new Map(Object.entries(versions))

test('versions that grow, and orders that come and go, are no regressions', async (t) => {
  const memory = new Memory()
  t.strictSame(memory.note(look({ 1: 5n, 2: 5n })), [])
  t.strictSame(memory.note(look({ 1: 5n, 2: 6n, 3: 7n })), [])
  t.strictSame(memory.note(look({ 1: 8n, 3: 7n })), [])
})

test('a version that falls is reported once', async (t) => {
  const memory = new Memory()
  memory.note(look({ 1: 2n ** 60n + 1n }))
  t.strictSame(memory.note(look({ 1: 2n ** 60n })), [
    `document 1 fell from version ${2n ** 60n + 1n} to ${2n ** 60n}`,
  ])
  t.strictSame(memory.note(look({ 1: 2n ** 60n })), [])
})

test('an order that was seen, then gone, and is there again, is reported', async (t) => {
  const memory = new Memory()
  memory.note(look({ 1: 5n }))
  memory.note(look({}))
  t.strictSame(memory.note(look({ 1: 9n })), ['document 1 is back from the dead: 9 after 5'])
})

test('where ids are used again, only a greater version may come back', async (t) => {
  const memory = new Memory({ reusesIds: true })
  memory.note(look({ 1: 5n, 2: 5n }))
  memory.note(look({}))
  t.strictSame(memory.note(look({ 1: 6n, 2: 5n })), ['document 2 is back from the dead: 5 after 5'])
})

test('what a server lost by itself may be written again, but not fall', async (t) => {
  const memory = new Memory()
  memory.note(look({ 1: 5n, 2: 5n }))
  memory.forget(true)
  memory.note(look({ 1: 4n, 2: 4n }))
  memory.note(look({}))
  t.strictSame(memory.note(look({ 1: 6n, 2: 4n })), ['document 2 is back from the dead: 4 after 4'])
  memory.forget()
  memory.note(look({ 1: 6n }))
  memory.note(look({}))
  t.equal(memory.note(look({ 1: 7n })).length, 1)
})

test('a new life begins with an empty memory', async (t) => {
  const memory = new Memory()
  memory.note(look({ 1: 5n, 2: 5n }))
  memory.note(look({ 1: 5n }))
  memory.forget()
  t.strictSame(memory.note(look({ 1: 1n, 2: 1n })), [])
})
