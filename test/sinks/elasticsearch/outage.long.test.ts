import { setTimeout as sleep } from 'node:timers/promises'
import t, { test } from 'tap'
import { memoryOf } from '../../bench/measure.ts'
import { useElasticsearch } from '../../support/servers/use.ts'
import { begin } from './campaign.ts'

t.setTimeout(900_000)

test('a sink survives answers that come a minute late', async (t) => {
  const { url } = await useElasticsearch(t)
  const sink = { requestTimeoutMs: 90_000 }
  const campaign = await begin(t, url, { sink, pauseMs: 100, patienceMs: 300_000 })
  await campaign.progress()
  campaign.proxy.disturb({ slowMs: 60_000 })
  await sleep(70_000)
  campaign.proxy.disturb('none')
  await campaign.progress()
  await campaign.settle()
})

test('a sink survives a server that is down for minutes under load, and memory stays flat', async (t) => {
  const { url } = await useElasticsearch(t)
  const options = { pauseMs: 10, textBytes: 4_000, patienceMs: 300_000 }
  const campaign = await begin(t, url, options)
  await sleep(20_000)
  const before = memoryOf(process.pid).anonymous
  campaign.proxy.disturb('down')
  await campaign.state('retrying', /CONNECTION_LOST/)
  await sleep(130_000)
  const after = memoryOf(process.pid).anonymous
  t.ok(after - before < 100, `memory grew by ${Math.round(after - before)} MB`)
  campaign.proxy.disturb('none')
  await campaign.progress()
  await campaign.settle()
})
