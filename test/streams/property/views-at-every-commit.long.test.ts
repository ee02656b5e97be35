import { test } from 'tap'
import { compareViews } from './campaign.ts'

test('at ten thousand commits views are what SQL says', async (t) => {
  const seed = Number(process.env.SEED ?? Date.now() % 1_000_000)
  await compareViews(t, { seed, rounds: Number(process.env.ROUNDS ?? 40), commits: 250 })
})
