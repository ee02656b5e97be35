import { setTimeout as sleep } from 'node:timers/promises'
import type { Test } from 'tap'
import { gatherBatches } from '../../../src/core/gather.ts'
import { Meter } from '../../../src/core/meter.ts'
import { pump } from '../../../src/core/pump.ts'
import type { NewRecord } from '../../../src/core/record.ts'
import type { Position } from '../../../src/core/source.ts'
import { supervise } from '../../../src/core/supervise.ts'
import { openEmbeddedLog } from '../../../src/log/embedded.ts'
import { until } from '../../e2e/pipeline.ts'
import { type FaultProxy, faultProxy } from './fault-proxy.ts'
import { makeTarget, type Target } from './target.ts'

const keys = 200

export interface Campaign {
  readonly target: Target
  readonly proxy: FaultProxy
  readonly meter: Meter
  /** Waits until the sink has written what came since. */
  progress(): Promise<void>
  /** Waits for a state of the sink, and gives the reason. */
  state(state: Meter['state'], reason: RegExp): Promise<void>
  /** What is seen of the index does not count from now on: it loses documents. */
  lookAway(): void
  /** Waits until the sink has noticed that, and has filled it again; then all counts as before. */
  filledAgain(): Promise<void>
  /** Ends the load, and holds the index to what was written. */
  settle(isFilledAgain?: boolean): Promise<void>
}

export interface CampaignOptions {
  readonly sink?: Readonly<Record<string, unknown>>
  /** Rest between two commits. */
  readonly pauseMs?: number
  /** Of the text in each document. */
  readonly textBytes?: number
  readonly patienceMs?: number
}

/**
 * A load of changes on a log, a sink that carries them through a proxy into a real index, and an
 * observer that sees whether a version falls or a deleted document is back.
 */
export async function begin(
  t: Test,
  url: string,
  options: CampaignOptions = {},
): Promise<Campaign> {
  const { pauseMs = 5, patienceMs = 60_000 } = options
  const target = await makeTarget(url)
  const proxy = await faultProxy(t, url)
  const log = await openEmbeddedLog({ path: t.testdir({}) })
  const stop = new AbortController()
  const stopLoad = new AbortController()
  const load = new Load(log, options.textBytes ?? 20)
  const observer = new Observer(target)
  const meter = new Meter()
  const sink = target.open({ url: proxy.url, requestTimeoutMs: 5_000, ...options.sink })
  const deadLetters = async () => {}
  const pipe = { source: log.reader([topic], ''), sink, deadLetters, meter, idleMs: 300 }
  const work = (signal: AbortSignal) => pump({ ...pipe, gathering: gatherBatches }, signal)
  const running = Promise.all([
    supervise(work, meter, stop.signal),
    load.run(pauseMs, stopLoad.signal),
    observer.run(stop.signal),
  ])
  running.catch(() => {}) // Whoever waits for it gets it.
  t.teardown(async () => {
    stopLoad.abort()
    stop.abort()
    await running.catch(() => {})
    await target.close()
    await log.close()
  })
  const waitFor = (isSo: () => boolean | Promise<boolean>, what: () => unknown) =>
    until(async () => await Promise.race([running.then(() => true), isSo()]), what, patienceMs)
  const described = () => JSON.stringify({ ...meter })
  return {
    ...{ target, proxy, meter },
    async progress() {
      const now = load.written
      await waitFor(() => meter.records >= now && meter.state === 'running', described)
    },
    state: (state, reason) =>
      waitFor(() => meter.state === state && reason.test(meter.reason ?? ''), described),
    lookAway: () => observer.lookAway(),
    async filledAgain() {
      await waitFor(
        () => /filled again/.test(target.said.join()),
        () => target.said.join(),
      )
      await sleep(1_000)
      observer.look()
      await sleep(500)
    },
    async settle(isFilledAgain = false) {
      stopLoad.abort()
      await sleep(20)
      await waitFor(
        async () => (await load.difference(target)) === undefined,
        async () => `${await load.difference(target)} ${described()}`,
      )
      await waitFor(() => meter.records >= load.written, described)
      const { records, applied, stale, coalesced, filtered, dead } = meter
      t.equal(applied + stale + coalesced + filtered + dead, records, 'the counters add up')
      if (!isFilledAgain) t.equal(records, load.written, 'each record is counted once')
      t.equal(dead, 0, 'no record was given up')
      t.same(observer.faults, [], 'no version fell, and nothing deleted came back')
      t.ok(load.written > 100, `${load.written} records`)
    },
  }
}

const topic = 'orders'

/** Changes of a few keys, without end, and what they come to. */
class Load {
  readonly #log: Awaited<ReturnType<typeof openEmbeddedLog>>
  readonly #state = new Map<string, { readonly version: number; readonly text: string }>()
  readonly #text: string
  #version = 0
  written = 0

  constructor(log: Awaited<ReturnType<typeof openEmbeddedLog>>, textBytes: number) {
    this.#log = log
    this.#text = 'x'.repeat(textBytes)
  }

  async run(pauseMs: number, signal: AbortSignal): Promise<void> {
    const writer = this.#log.writer('load')
    await writer.resume('load')
    while (!signal.aborted) {
      const position = String(this.#version) as Position
      await writer.write({ records: this.#commit(), position, complete: true })
      await writer.commit({ source: 'load', position, timestamp: 0 })
      await sleep(pauseMs)
    }
  }

  /** What is not in the index as it should be; `undefined`: nothing. */
  async difference(target: Target): Promise<string | undefined> {
    const found = await target.stored()
    if (found.size !== this.#state.size) return `${found.size} instead of ${this.#state.size}`
    for (const [id, { version, text }] of this.#state) {
      const wanted = JSON.stringify({ id: Number(id), version, text })
      if (found.get(id) !== wanted) return `${found.get(id)} instead of ${wanted}`
    }
    return undefined
  }

  /** Some keys, each once. */
  #commit(): NewRecord[] {
    const version = ++this.#version
    const count = 1 + Math.floor(Math.random() * 20)
    const ids = new Set(Array.from({ length: count }, () => Math.floor(Math.random() * keys)))
    const records = [...ids].map((id, ordinal) => this.#change(id, version, ordinal))
    this.written += records.length
    return records.map((record, i) => ({ ...record, endsCommit: i === records.length - 1 }))
  }

  #change(id: number, version: number, ordinal: number): NewRecord {
    const isDelete = Math.random() < 0.3
    const after = isDelete ? null : { id, version, text: this.#text }
    if (after === null) this.#state.delete(String(id))
    else this.#state.set(String(id), after)
    const envelope = { before: null, after, source: {}, op: isDelete ? 'd' : 'u', ts_ms: version }
    return {
      ...{ topic, version: BigInt(version), ordinal, timestamp: version, endsCommit: false },
      key: Buffer.from(`{"id":${id}}`),
      value: Buffer.from(JSON.stringify(envelope)),
    }
  }
}

/** Looks at the index all the time, and at the server itself, not through the proxy. */
class Observer {
  readonly #target: Target
  #newest = new Map<string, number>()
  #gone = new Set<string>()
  #isLooking = true
  readonly faults: string[] = []

  constructor(target: Target) {
    this.#target = target
  }

  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const found = await this.#found()
      if (this.#isLooking && found !== undefined) this.#note(found)
      await sleep(100, undefined, { signal }).catch(() => {})
    }
  }

  lookAway(): void {
    this.#isLooking = false
  }

  look(): void {
    this.#isLooking = true
    this.#newest = new Map()
    this.#gone = new Set()
  }

  #note(found: ReadonlyMap<string, number>): void {
    for (const id of this.#newest.keys()) if (!found.has(id)) this.#gone.add(id)
    for (const [id, version] of found) {
      const newest = this.#newest.get(id) ?? 0
      if (version < newest) this.faults.push(`${id} fell from ${newest} to ${version}`)
      if (version === newest && this.#gone.has(id)) this.faults.push(`${id} at ${version} is back`)
      this.#gone.delete(id)
      this.#newest.set(id, version)
    }
  }

  async #found(): Promise<ReadonlyMap<string, number> | undefined> {
    const { index, ask } = this.#target
    try {
      await ask('POST', `/${index}/_refresh`)
      const answer = await ask('GET', `/${index}/_search?size=1000&version=true`)
      const { hits } = JSON.parse(answer) as { hits: { hits: { _id: string; _version: number }[] } }
      return new Map(hits.hits.map(({ _id, _version }) => [_id, _version]))
    } catch {
      return undefined // The index is closed or gone.
    }
  }
}
