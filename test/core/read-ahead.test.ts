import { setImmediate as turn } from 'node:timers/promises'
import { test } from 'tap'
import { readAhead } from '../../src/core/read-ahead.ts'

async function* count(to: number, pulled: number[] = []) {
  for (let i = 1; i <= to; i++) {
    pulled.push(i)
    yield i
  }
}

const { signal } = new AbortController()

test('one item is read ahead, and no more', async (t) => {
  const pulled: number[] = []
  for await (const item of readAhead(() => count(5, pulled), signal)) {
    for (let i = 0; i < 5; i++) await turn()
    t.same(pulled.length, Math.min(5, item! + 1))
  }
})

test('a gathering decides how much is read ahead, and what is joined', async (t) => {
  const gathering = {
    isFull: (waiting: readonly number[]) => waiting.length >= 3,
    take: (waiting: number[]) => waiting.splice(0).reduce((a, b) => a + b, 0),
  }
  const items: (number | undefined)[] = []
  for await (const item of readAhead(() => count(7), signal, { gathering })) {
    items.push(item)
    for (let i = 0; i < 20; i++) await turn()
  }
  t.same(items.slice(1, 3), [2 + 3 + 4, 5 + 6 + 7])
})

test('what still waits when the source ends comes all the same', async (t) => {
  const gathering = { isFull: () => false, take: () => undefined }
  const items: (number | undefined)[] = []
  for await (const item of readAhead(() => count(3), signal, { gathering })) items.push(item)
  t.same(items, [1, 2, 3])
})

test('an error of the source comes after what was read before it', async (t) => {
  async function* failing() {
    yield 1
    throw new Error('torn')
  }
  const items: (number | undefined)[] = []
  await t.rejects(
    async () => {
      for await (const item of readAhead(failing, signal)) {
        items.push(item)
        for (let i = 0; i < 5; i++) await turn()
      }
    },
    { message: 'torn' },
  )
  t.same(items, [1])
})

test('leaving ends a read that waits', async (t) => {
  let hasEnded = false
  async function* waiting(signal: AbortSignal) {
    yield 1
    await new Promise((resolve) => signal.addEventListener('abort', resolve))
    hasEnded = true
  }
  for await (const _ of readAhead(waiting, signal)) break
  t.ok(hasEnded)
})
