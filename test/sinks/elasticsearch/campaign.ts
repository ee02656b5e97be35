import { setTimeout as sleep } from 'node:timers/promises'
import type { Test } from 'tap'
import * as campaigns from '../campaign/campaign.ts'
import { type FaultProxy, faultProxy } from './fault-proxy.ts'
import { makeTarget, type Target } from './target.ts'

export interface CampaignOptions extends campaigns.CampaignOptions {
  readonly sink?: Readonly<Record<string, unknown>>
}

interface Scene {
  readonly target: Target
  readonly proxy: FaultProxy
}

export interface Campaign extends campaigns.Campaign, Scene {
  /** Waits until the sink has noticed that the index is another, and has filled it again. */
  filledAgain(): Promise<void>
}

/** A campaign through a proxy into a real index. */
export async function begin(
  t: Test,
  url: string,
  options: CampaignOptions = {},
): Promise<Campaign> {
  const { target, proxy, seen } = await prepare(t, url, options)
  const campaign = await campaigns.begin(t, seen, options)
  return {
    ...{ ...campaign, target, proxy },
    async filledAgain() {
      await campaign.says(/filled again/)
      await sleep(1_000)
      campaign.lookAgain()
      await sleep(500)
    },
  }
}

/** The same in a process of its own, which may be stopped. */
export async function beginStoppable(t: Test, url: string, options: CampaignOptions = {}) {
  const { target, proxy, seen } = await prepare(t, url, options)
  return { ...(await campaigns.beginStoppable(t, seen, options)), target, proxy }
}

async function prepare(t: Test, url: string, { sink }: CampaignOptions) {
  const target = await makeTarget(url)
  t.teardown(() => target.close())
  const proxy = await faultProxy(t, url)
  const { index, ask } = target
  const seen: campaigns.CampaignTarget = {
    type: 'elasticsearch',
    options: { ...target.options, url: proxy.url, requestTimeoutMs: 5_000, ...sink },
    place: target.place,
    stored: () => target.stored(),
    /** Undefined while the index is closed or gone. */
    async versions() {
      await ask('POST', `/${index}/_refresh`)
      const answer = await ask('GET', `/${index}/_search?size=1000&version=true`)
      const { hits } = JSON.parse(answer) as { hits: { hits: { _id: string; _version: number }[] } }
      return new Map(hits.hits.map(({ _id, _version }) => [_id, BigInt(_version)]))
    },
  }
  return { target, proxy, seen }
}
