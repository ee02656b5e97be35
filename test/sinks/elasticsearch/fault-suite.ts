import { setTimeout as sleep } from 'node:timers/promises'
import { type Test, test } from 'tap'
import { begin, type Campaign, type CampaignOptions } from './campaign.ts'
import type { Disturbance } from './fault-proxy.ts'

/** What a sink survives while it carries a load, on a real server of either product. */
export function faultSuite(name: string, url: string): void {
  const survives: Survives = (fault, options, body) => {
    test(`${name}: a sink survives ${fault}`, async (t) => {
      const campaign = await begin(t, url, options)
      await campaign.progress()
      await body(campaign, t)
    })
  }
  onTheWay(survives)
  late(survives)
  withinDocuments(survives)
  atTheIndex(survives)
  lossesOfTheIndex(survives)
}

type Survives = (
  fault: string,
  options: CampaignOptions,
  body: (campaign: Campaign, t: Test) => Promise<void>,
) => void

function onTheWay(survives: Survives): void {
  const disturbances: readonly (readonly [string, Disturbance])[] = [
    ['connections that break once the server has done it', 'reset after apply'],
    ['a server that is too busy for some documents', '429 for some'],
    ['a server that is too busy for all', '429 for all'],
    ['a server that is not available', '503'],
    ['requests that are too large', '413'],
    ['a page of a proxy instead of an answer', 'html'],
    ['a server that nobody reaches', 'down'],
    ['answers that come late', { slowMs: 400 }],
  ]
  for (const [what, how] of disturbances) {
    survives(what, {}, async ({ proxy, progress, settle }, t) => {
      proxy.disturb(how)
      await sleep(700)
      t.ok(proxy.disturbed > 0)
      proxy.disturb('none')
      await progress()
      await settle()
    })
  }

  survives(
    'an answer later than it waits',
    { sink: { requestTimeoutMs: 300 } },
    async (campaign) => {
      campaign.proxy.disturb({ slowMs: 600 })
      await campaign.state('retrying', /CONNECTION_LOST/)
      campaign.proxy.disturb('none')
      await campaign.progress()
      await campaign.settle()
    },
  )
}

/** Requests that come when they have long been given up, and what came after them is there. */
function late(survives: Survives): void {
  const sink = { requestTimeoutMs: 400 }
  survives('requests that arrive after they were given up', { sink }, async (campaign) => {
    campaign.proxy.disturb('hold')
    await campaign.state('retrying', /CONNECTION_LOST/)
    await sleep(1_500)
    campaign.proxy.disturb('none')
    await campaign.progress()
    await campaign.settle()
  })
}

function withinDocuments(survives: Survives): void {
  const odd = [
    { id: 'é'.repeat(257), row: '{"id":1}' },
    { id: 'odd', row: '{"version":"no number"}' },
  ]
  const sink = { mapping: { version: { type: 'long' } } }
  survives(
    'ids that are too long and documents that do not fit',
    { odd, sink },
    async (campaign, t) => {
      await sleep(500)
      await campaign.progress()
      await campaign.settle()
      t.ok((await campaign.target.stored()).size > 0)
    },
  )
}

function atTheIndex(survives: Survives): void {
  const blocks = ['blocks.write', 'blocks.read_only', 'blocks.read_only_allow_delete']
  for (const block of blocks) {
    survives(`index.${block}`, {}, async ({ target, state, progress, settle }) => {
      const settings = `/${target.index}/_settings`
      await target.ask('PUT', settings, { [`index.${block}`]: true })
      await state('paused', /TARGET_BLOCKED/)
      await target.ask('PUT', settings, { [`index.${block}`]: null })
      await progress()
      await settle()
    })
  }

  survives('an index that is closed', {}, async ({ target, state, progress, settle }) => {
    await target.ask('POST', `/${target.index}/_close`)
    await state('paused', /TARGET_BLOCKED.*Open the index/)
    await target.ask('POST', `/${target.index}/_open`)
    await progress()
    await settle()
  })
}

function lossesOfTheIndex(survives: Survives): void {
  survives('an index that is deleted', {}, async (campaign) => {
    const { target, lookAway, filledAgain, settle } = campaign
    lookAway()
    await target.ask('DELETE', `/${target.index}`)
    await filledAgain()
    await settle(true)
  })

  survives('an index that is restored from an older copy', {}, async (campaign) => {
    const { target, lookAway, progress, filledAgain, settle } = campaign
    const copy = `${target.index}-copy`
    await clone(campaign, target.index, copy)
    await progress()
    await sleep(300)
    lookAway()
    await target.ask('DELETE', `/${target.index}`)
    await clone(campaign, copy, target.index)
    await target.ask('DELETE', `/${copy}`)
    await filledAgain()
    await settle(true)
  })
}

/** Copies an index as it is, which stands still meanwhile. */
async function clone({ target }: Campaign, from: string, to: string): Promise<void> {
  const block = (index: string, value: true | null) =>
    target.ask('PUT', `/${index}/_settings`, { 'index.blocks.write': value })
  await block(from, true)
  await target.ask('DELETE', `/${to}`) // The sink may have made it by now.
  await target.ask('POST', `/${from}/_clone/${to}?wait_for_active_shards=1`)
  await block(to, null)
  await block(from, null)
}
