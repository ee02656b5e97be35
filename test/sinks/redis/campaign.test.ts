import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { freePort } from '../../support/servers/ports.ts'
import { begin, beginStoppable, type Campaign, type CampaignOptions } from './campaign.ts'

t.setTimeout(300_000)

const survives = (
  fault: string,
  options: CampaignOptions,
  body: (campaign: Campaign, t: Test) => Promise<void>,
) => {
  t.test(`a sink survives ${fault}`, async (t) => {
    const campaign = await begin(t, options)
    await underWay(campaign)
    await body(campaign, t)
    await campaign.progress()
    await campaign.settle()
  })
}

/** On a busy machine a load takes its time. */
async function underWay({ report, progress }: Pick<Campaign, 'report' | 'progress'>) {
  while ((await report()).written < 150) await sleep(50)
  await progress()
}

survives('connections that break once the server has written', {}, async ({ proxy }, t) => {
  proxy.disturb('reset after answer')
  await sleep(700)
  t.ok(proxy.disturbed > 2)
  proxy.disturb('none')
})

survives('connections that break in the middle of a call', {}, async ({ proxy, progress }, t) => {
  for (let i = 0; i < 5; i++) {
    proxy.disturb('cut')
    await sleep(100)
    proxy.disturb('none')
    await progress()
  }
  t.ok(proxy.disturbed >= 5)
})

survives('a server that nobody reaches', {}, async ({ proxy, state }) => {
  proxy.disturb('down')
  await state('retrying', /CONNECTION_LOST/)
  await sleep(500)
  proxy.disturb('none')
})

survives('answers that are late', {}, async ({ proxy, progress }) => {
  proxy.disturb('slow')
  await progress()
  proxy.disturb('none')
})

survives('answers later than it waits', { sink: { timeoutMs: 300 } }, async ({ proxy, state }) => {
  proxy.disturb('slow')
  await state('retrying', /CONNECTION_LOST.*timed out/)
  proxy.disturb('none')
})

survives('connections that an operator ends', {}, async ({ operator }) => {
  for (let i = 0; i < 5; i++) {
    await operator.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes')
    await sleep(100)
  }
})

survives('memory that is full (OOM)', {}, async ({ operator, state }) => {
  await operator.config('SET', 'maxmemory', '1')
  await state('paused', /TARGET_BLOCKED.*OOM/)
  await operator.config('SET', 'maxmemory', '0')
})

survives('a server that has become a replica (READONLY)', {}, async ({ operator, state }) => {
  await operator.replicaof('127.0.0.1', await freePort())
  await state('retrying', /CONNECTION_LOST.*READONLY/)
  await operator.replicaof('NO', 'ONE')
})

survives('scripts that are forgotten (NOSCRIPT)', {}, async ({ operator }) => {
  for (let i = 0; i < 10; i++) {
    await operator.script('FLUSH')
    await sleep(50)
  }
})

survives('rights that are taken away (NOPERM)', {}, async ({ operator, state }) => {
  await operator.call('ACL', 'SETUSER', 'default', '-evalsha')
  await state('paused', /ACCESS_DENIED.*NOPERM|ACCESS_DENIED.*evalsha/i)
  await operator.call('ACL', 'SETUSER', 'default', '+evalsha')
})

t.test('a sink survives keys of another type (WRONGTYPE): each is a dead letter', async (t) => {
  const campaign = await begin(t, { odd: [{ id: 'theirs', row: '{}' }] })
  await campaign.operator.rpush('order:theirs', 'not ours')
  await underWay(campaign)
  await sleep(500)
  await campaign.progress()
  await campaign.settle()
  t.same(await campaign.operator.lrange('order:theirs', 0, -1), ['not ours'])
})

/** The server loses data: what was there before does not count, and all is written anew. */
const loses = (
  fault: string,
  options: CampaignOptions,
  body: (campaign: Campaign, t: Test) => Promise<void>,
) => {
  t.test(`a sink fills a Redis again after ${fault}`, async (t) => {
    const campaign = await begin(t, options)
    await underWay(campaign)
    campaign.lookAway()
    await body(campaign, t)
    campaign.lookAgain()
    await campaign.progress()
    await campaign.settle(true)
  })
}

loses('FLUSHALL', {}, async ({ operator }) => {
  await operator.flushall()
})

loses('a start without data', {}, async ({ server, state }) => {
  await server.kill()
  await state('retrying', /CONNECTION_LOST/)
  await server.restart()
})

/** Reading the keys back takes seconds, in which the server answers nothing else. */
const slowStart = ['--key-load-delay', '10000', '--loading-process-events-interval-bytes', '1024']

loses('a slow start from an older copy (LOADING)', { args: slowStart }, async (campaign) => {
  const { server, operator, state, progress } = campaign
  await operator.save()
  await progress()
  await server.kill()
  const restarted = server.restart()
  await state('retrying', /TARGET_BUSY.*LOADING/)
  await restarted
})

t.test('a sink says that a full server evicts, and a refill brings all back', async (t) => {
  const args = ['--maxmemory-policy', 'allkeys-random']
  const campaign = await begin(t, { args })
  const { operator, lookAway, lookAgain, says, progress, settle } = campaign
  await underWay(campaign)
  lookAway()
  const used = Number(/used_memory:(\d+)/.exec(await operator.info('memory'))![1])
  await operator.config('SET', 'maxmemory', String(used + 10_000_000))
  for (let i = 0; i < 3_000; i++) await operator.set(`theirs:${i}`, 'x'.repeat(10_000))
  await says(/evicted \d+ keys/)
  await operator.config('SET', 'maxmemory', '0')
  await operator.flushall() // As `millrace sinks refill` clears it.
  lookAgain()
  await progress()
  await settle(true)
})

t.test('a sink that was stopped in the middle of a call goes on', async (t) => {
  const campaign = await beginStoppable(t, { sink: { timeoutMs: 1_000 } })
  const { progress, signal, settle } = campaign
  await underWay(campaign)
  signal('SIGSTOP')
  await sleep(1_500)
  signal('SIGCONT')
  await progress()
  await settle()
})
