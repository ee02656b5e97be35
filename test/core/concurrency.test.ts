import { test } from 'tap'
import { Concurrency } from '../../src/core/concurrency.ts'

function repeat(count: number, work: () => void): void {
  for (let i = 0; i < count; i++) work()
}

test('concurrency grows by one while answers come as fast as ever', (t) => {
  const concurrency = new Concurrency(8)
  t.equal(concurrency.limit, 2)
  repeat(3, () => concurrency.answered(1000, 50))
  t.equal(concurrency.limit, 3)
  repeat(100, () => concurrency.answered(1000, 50))
  t.equal(concurrency.limit, 8)
  t.end()
})

test('concurrency is halved when the target is too busy, but never below one', (t) => {
  const concurrency = new Concurrency(8, 8)
  concurrency.refused()
  t.equal(concurrency.limit, 4)
  repeat(9, () => concurrency.refused())
  t.equal(concurrency.limit, 1)
  t.end()
})

test('concurrency falls while latency rises', (t) => {
  const concurrency = new Concurrency(8, 8)
  concurrency.answered(1000, 50)
  repeat(3, () => concurrency.answered(1000, 120))
  t.equal(concurrency.limit, 8, 'somewhat slower holds it')
  repeat(30, () => concurrency.answered(1000, 400))
  t.equal(concurrency.limit, 1)
  t.end()
})

test('requests of another size are compared among themselves', (t) => {
  const concurrency = new Concurrency(8, 4)
  concurrency.answered(2, 1)
  repeat(5, () => concurrency.answered(1000, 60))
  t.ok(concurrency.limit > 4)
  t.end()
})
