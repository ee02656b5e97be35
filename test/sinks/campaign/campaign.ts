import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Test } from 'tap'
import type { Meter } from '../../../src/core/meter.ts'
import { memoryOf } from '../../bench/measure.ts'
import { until } from '../../e2e/pipeline.ts'
import type { Odd } from './load.ts'
import { type Look, Observer } from './observer.ts'
import { beginElsewhere, type StoppableWorker } from './other-process.ts'
import { beginWork, type Report, type WorkOptions } from './work.ts'

/** What a campaign writes to, and how it is seen past whatever disturbs the sink. */
export interface CampaignTarget extends Pick<WorkOptions, 'type' | 'options' | 'place'> {
  /** JSON by id. */
  stored(): Promise<ReadonlyMap<string, string>>
  readonly versions: Look
}

export interface CampaignOptions {
  /** Rest between two commits. */
  readonly pauseMs?: number
  /** Of the text in each document. */
  readonly textBytes?: number
  /** Documents that the target refuses. */
  readonly odd?: readonly Odd[]
  readonly patienceMs?: number
  /** What the memory of the worker may grow by while a fault lasts, in MB. */
  readonly growthMb?: number
}

export interface Campaign {
  report(): Promise<Report>
  /** Resident memory of the worker, without mapped files. */
  memoryMb(): number
  /** Waits until the sink has written what came since. */
  progress(): Promise<void>
  /** Waits for a state of the sink, and its reason. */
  state(state: Meter['state'], reason: RegExp): Promise<void>
  /** Waits for a word of the sink. */
  says(line: RegExp): Promise<void>
  /** What is seen of the target does not count from now on: it loses documents. */
  lookAway(): void
  lookAgain(): void
  /**
   * Ends the load, and holds the target to what was written: it has that and nothing else, no
   * version fell and nothing deleted came back meanwhile, each record was counted once, those were
   * refused that must be, and memory stayed flat. A target that was filled again has had records
   * twice.
   */
  settle(isFilledAgain?: boolean): Promise<void>
}

/** The work in a process of its own, which may be stopped. */
export async function beginStoppable(
  t: Test,
  target: CampaignTarget,
  options: CampaignOptions = {},
): Promise<Campaign & Pick<StoppableWorker, 'signal'>> {
  const worker = await beginElsewhere(workOf(t, target, options))
  return { ...conduct(t, target, { ...options, worker }), signal: worker.signal }
}

/**
 * A load of changes on a log, a sink that carries them into a target, and an observer that sees
 * whether a version falls or a deleted document is back.
 */
export async function begin(
  t: Test,
  target: CampaignTarget,
  options: CampaignOptions = {},
): Promise<Campaign> {
  const worker = await beginWork(workOf(t, target, options))
  return conduct(t, target, { ...options, worker })
}

function workOf(t: Test, target: CampaignTarget, options: CampaignOptions): WorkOptions {
  const { type, options: sink, place } = target
  // Not the test's own folder, which may be what is written to.
  const directory = mkdtempSync(join(tmpdir(), 'millrace-campaign-'))
  t.teardown(() => rmSync(directory, { recursive: true, force: true }))
  const { pauseMs = 5, textBytes = 20, odd = [] } = options
  return { type, options: sink, place, directory, pauseMs, textBytes, odd }
}

interface Conducted extends CampaignOptions {
  readonly worker: Pick<StoppableWorker, 'pid' | 'report' | 'endLoad' | 'close'>
}

function conduct(t: Test, target: CampaignTarget, options: Conducted): Campaign {
  const { worker, patienceMs = 60_000, growthMb = 120 } = options
  const observer = new Observer(target.versions)
  const stop = new AbortController()
  const observing = observer.run(stop.signal)
  let isClosed = false
  const close = async () => {
    if (isClosed) return
    isClosed = true
    stop.abort()
    await observing
    await worker.close()
  }
  t.teardown(() => close().catch(() => {}))
  const memory = () => memoryOf(worker.pid).anonymous
  let before: number | undefined
  const waitFor = (isSo: (report: Report) => boolean) =>
    until(
      async () => isSo(await worker.report()),
      async () => described(await worker.report()),
      patienceMs,
    )
  const progress = async () => {
    const { written } = await worker.report()
    await waitFor(({ meter }) => meter.records >= written && meter.state === 'running')
    before ??= memory()
  }
  return {
    progress,
    report: () => worker.report(),
    memoryMb: memory,
    state: (state, reason) =>
      waitFor(({ meter }) => meter.state === state && reason.test(meter.reason ?? '')),
    says: (line) => waitFor(({ said }) => line.test(said.join('\n'))),
    lookAway: () => observer.lookAway(),
    lookAgain: () => observer.lookAgain(),
    async settle(isFilledAgain = false) {
      await waitFor((report) => observer.looks > 0 && report.written > 100)
      await worker.endLoad()
      const { expected, odd, written } = await worker.report()
      const wanted = new Map(expected)
      await until(
        async () => difference(await target.stored(), wanted) === undefined,
        async () =>
          `${difference(await target.stored(), wanted)} ${described(await worker.report())}`,
        patienceMs,
      )
      await waitFor(({ meter }) => meter.records >= written)
      await sleep(200)
      const { meter } = await worker.report()
      const { records, applied, stale, coalesced, filtered, dead } = meter
      t.equal(applied + stale + coalesced + filtered + dead, records, 'the counters add up')
      if (!isFilledAgain) t.equal(records, written, 'each record is counted once')
      t.equal(dead, odd, 'those were refused that must be')
      t.same(observer.faults, [], 'no version fell, and nothing deleted came back')
      t.ok(observer.looks > 0 && written > 100, `${written} records, ${observer.looks} looks`)
      const growth = Math.round(memory() - (before ?? 0))
      t.ok(growth < growthMb, `memory grew by ${growth} MB`)
      t.equal(difference(await target.stored(), wanted), undefined, 'the target is as it must be')
      await close()
    },
  }
}

function described({ meter, written, said }: Report): string {
  return JSON.stringify({ ...meter, written, said })
}

/** What is not as it should be; `undefined`: nothing. */
function difference(
  found: ReadonlyMap<string, string>,
  wanted: ReadonlyMap<string, string>,
): string | undefined {
  if (found.size !== wanted.size) return `${found.size} instead of ${wanted.size}`
  for (const [id, row] of wanted) {
    if (found.get(id) !== row) return `${found.get(id)} instead of ${row}`
  }
  return undefined
}
