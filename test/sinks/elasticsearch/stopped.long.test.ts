import { setTimeout as sleep } from 'node:timers/promises'
import t, { test } from 'tap'
import { useElasticsearch } from '../../support/servers/use.ts'
import { beginStoppable } from './campaign.ts'
import type { Disturbance } from './fault-proxy.ts'

t.setTimeout(900_000)

const moments: readonly (readonly [string, Disturbance])[] = [
  ['before a request has reached the server', 'hold'],
  ['between a request and its answer', { slowMs: 3_000 }],
]

for (const [moment, disturbance] of moments) {
  test(`a process that is stopped for two minutes ${moment} goes on as if nothing had been`, async (t) => {
    const { url } = await useElasticsearch(t)
    const campaign = await beginStoppable(t, url, { patienceMs: 300_000 })
    await campaign.progress()
    campaign.proxy.disturb(disturbance)
    await sleep(500)
    t.ok(campaign.proxy.disturbed > 0)
    campaign.signal('SIGSTOP')
    await sleep(120_000)
    campaign.signal('SIGCONT')
    await sleep(500)
    campaign.proxy.disturb('none')
    await campaign.progress()
    await campaign.settle()
  })
}
