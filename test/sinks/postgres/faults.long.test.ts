import { setTimeout as sleep } from 'node:timers/promises'
import t, { test } from 'tap'
import { memoryOf } from '../../bench/measure.ts'
import { begin, beginStoppable } from './campaign.ts'

t.setTimeout(900_000)

test('a process that is stopped for two minutes in the middle of a commit goes on', async (t) => {
  const campaign = await beginStoppable(t, { patienceMs: 300_000 })
  await campaign.progress()
  campaign.proxy.disturb('hold commits')
  await sleep(500)
  t.ok(campaign.proxy.disturbed > 0)
  campaign.signal('SIGSTOP')
  await sleep(60_000)
  campaign.proxy.disturb('none')
  await sleep(60_000)
  campaign.signal('SIGCONT')
  await campaign.progress()
  await campaign.settle()
})

test('a server that is down for minutes under load costs nothing but time', async (t) => {
  const options = { ownServer: true, pauseMs: 10, textBytes: 4_000, patienceMs: 300_000 }
  const { server, progress, state, settle, lookAway, lookAgain } = await begin(t, options)
  await sleep(20_000)
  await progress()
  const before = memoryOf(process.pid).anonymous
  lookAway()
  await server!.kill()
  await state('retrying', /CONNECTION_LOST/)
  await sleep(130_000)
  const growth = memoryOf(process.pid).anonymous - before
  t.ok(growth < 100, `memory grew by ${Math.round(growth)} MB`)
  await server!.restart()
  lookAgain()
  await progress()
  await settle()
})
