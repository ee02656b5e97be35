import { setTimeout as sleep } from 'node:timers/promises'
import t, { test } from 'tap'
import { beginStoppable } from '../campaign/campaign.ts'
import { target } from './campaign.ts'

t.setTimeout(600_000)

test('a process that is stopped for two minutes goes on as if nothing had been', async (t) => {
  const campaign = await beginStoppable(t, target(t).seen, { patienceMs: 120_000 })
  await campaign.progress()
  await sleep(1_000)
  campaign.signal('SIGSTOP')
  await sleep(120_000)
  campaign.signal('SIGCONT')
  await campaign.progress()
  await campaign.settle()
})
