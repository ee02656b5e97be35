import { test } from 'tap'
import { phases, planLives } from './plan.ts'
import { Random } from './random.ts'

test('a campaign has as many rounds as it was asked for', async (t) => {
  for (let rounds = 1; rounds <= 40; rounds++) {
    const lives = planLives(rounds, new Random(rounds))
    t.equal(lives.flat().length, rounds)
    t.ok(lives.every((life) => life.length > 0 && life[0] === 'snapshot'))
  }
})

test('five rounds meet every phase, and each seed in an order of its own', async (t) => {
  const orders = Array.from({ length: 20 }, (_, seed) => planLives(5, new Random(seed)).flat())
  for (const order of orders) t.strictSame(new Set(order), new Set(phases))
  t.ok(new Set(orders.map(String)).size > 5)
})

test('a seed makes the same choices each time', async (t) => {
  t.strictSame(planLives(30, new Random(7)), planLives(30, new Random(7)))
})
