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

test('a life meets every phase, and each seed in an order of its own', async (t) => {
  const orders = Array.from({ length: 20 }, (_, seed) =>
    planLives(phases.length, new Random(seed)).flat(),
  )
  for (const order of orders) t.strictSame(new Set(order), new Set(phases))
  t.ok(new Set(orders.map(String)).size > 5)
})

test('only phases that are asked for come up, each of them', async (t) => {
  const wanted = ['vanish', 'keys'] as const
  t.strictSame(new Set(planLives(4, new Random(1), wanted).flat()), new Set(wanted))
  t.strictSame(planLives(12, new Random(1), ['snapshot']).flat(), new Array(12).fill('snapshot'))
})

test('a seed makes the same choices each time', async (t) => {
  t.strictSame(planLives(30, new Random(7)), planLives(30, new Random(7)))
})
