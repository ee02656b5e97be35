import { readdirSync, statSync, truncateSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { keySlot } from '../../../sinks/redis/key-slot.ts'
import { freePort } from '../../support/servers/ports.ts'
import { useRedis } from '../../support/servers/use.ts'
import * as campaigns from '../campaign/campaign.ts'
import { begin, beginStoppable, targetOn } from './campaign.ts'
import { moveSlot, startCluster, until } from './cluster.ts'

t.setTimeout(600_000)

/** Longer than any connection or request waits. */
const longMs = 120_000

t.test('a sink survives a Redis that is down for two minutes under load', async (t) => {
  const campaign = await beginStoppable(t, { patienceMs: 180_000, growthMb: 200 })
  const { proxy, state, progress, settle, memoryMb } = campaign
  await progress()
  proxy.disturb('down')
  await state('retrying', /CONNECTION_LOST/)
  await sleep(longMs / 4)
  const early = memoryMb()
  await sleep((longMs * 3) / 4)
  t.ok(memoryMb() < early + 30, `${memoryMb()} MB after ${early} MB`)
  proxy.disturb('none')
  await progress()
  await settle()
})

t.test('a sink that was stopped for two minutes in the middle of a call goes on', async (t) => {
  const { proxy, progress, signal, settle } = await beginStoppable(t, { patienceMs: 180_000 })
  await progress()
  proxy.disturb('slow') // So that a call is under way.
  await sleep(1_000)
  signal('SIGSTOP')
  await sleep(longMs)
  proxy.disturb('none')
  signal('SIGCONT')
  await progress()
  await settle()
})

for (const flavor of ['redis8', 'valkey9'] as const) {
  t.test(`a sink survives one fault after the other of ${flavor}`, async (t) => {
    const campaign = await begin(t, { flavor })
    const { server, proxy, operator, progress, state, settle, lookAway, lookAgain } = campaign
    await progress()
    for (const how of ['reset after answer', 'cut', 'slow', 'down'] as const) {
      proxy.disturb(how)
      await sleep(700)
      proxy.disturb('none')
      await progress()
    }
    await operator.script('FLUSH')
    await progress()
    await operator.replicaof('127.0.0.1', await freePort())
    await state('retrying', /READONLY/)
    await operator.replicaof('NO', 'ONE')
    await progress()
    await operator.config('SET', 'maxmemory-policy', 'noeviction', 'maxmemory', '1')
    await state('paused', /OOM/)
    await operator.config('SET', 'maxmemory', '0')
    await progress()
    lookAway()
    await operator.flushall()
    await progress()
    await server.kill()
    await server.restart()
    lookAgain()
    await progress()
    await settle(true)
  })
}

t.test('a Redis that lost the tail of its append-only file is filled again', async (t) => {
  const args = ['--appendonly', 'yes', '--appendfsync', 'everysec']
  const campaign = await begin(t, { args })
  const { server, directory, progress, settle, lookAway, lookAgain } = campaign
  for (let round = 0; round < 5; round++) {
    await progress()
    await sleep(1_000)
    lookAway()
    await server.kill()
    // What a machine that loses power has not synced.
    const folder = join(directory, 'appendonlydir')
    const name = readdirSync(folder).find((name) => name.endsWith('.incr.aof'))!
    const { size } = statSync(join(folder, name))
    truncateSync(join(folder, name), Math.max(0, size - 40_000))
    await server.restart()
    lookAgain()
  }
  await progress()
  await settle(true)
})

t.test('a replica that is promoted without the last writes is filled again', async (t) => {
  const campaign = await begin(t)
  const { server, proxy, progress, settle, lookAway, lookAgain, lookAt } = campaign
  const args = ['--replicaof', '127.0.0.1', String(server.port)]
  const { server: standby } = await useRedis(t, { args })
  await progress()
  const promoted = lookAt(standby!)
  lookAway()
  await until(async () => (await promoted.info('replication')).includes('master_link_status:up'))
  await sleep(500)
  await promoted.replicaof('NO', 'ONE')
  await sleep(500) // The primary goes on by itself: this is what is lost.
  await progress()
  await server.kill()
  proxy.lead(standby!.port)
  lookAgain()
  await progress()
  await settle(true)
})

for (const flavor of ['redis7', 'valkey9'] as const) {
  t.test(`a sink survives slots of ${flavor} that move all the while (MOVED, ASK)`, async (t) => {
    const nodes = await startCluster(t, { flavor })
    const options = { url: nodes[1]!.server.url, key: 'order:{id}' }
    const seen = nodes.map(({ client }) => client)
    const campaign = await campaigns.begin(
      t,
      targetOn(() => seen, options),
    )
    await campaign.progress()
    campaign.lookAway() // A key that moves may be seen in two places, or in none.
    const ids = Array.from({ length: 200 }, (_, id) => id)
    const slots = [...new Set(ids.map((id) => keySlot(`order:${id}`)))]
    // Away from each shard but some, and back.
    for (const to of [1, 2, 0]) {
      for (const slot of slots.filter((slot) => slot % 3 === 0).slice(0, 40)) {
        const from = await ownerOf(slot, nodes)
        if (from !== nodes[to]!) await moveSlot(slot, from, nodes[to]!)
      }
    }
    campaign.lookAgain()
    await campaign.progress()
    await campaign.settle()
  })
}

async function ownerOf(slot: number, nodes: Awaited<ReturnType<typeof startCluster>>) {
  const ranges = (await nodes[0]!.client.call('CLUSTER', 'SLOTS')) as [number, number, unknown[]][]
  const [, , primary] = ranges.find(([first, last]) => first <= slot && slot <= last)!
  return nodes.find(({ server }) => server.port === primary[1])!
}
