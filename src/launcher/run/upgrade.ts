import { setTimeout as sleep } from 'node:timers/promises'
import { kindOf } from '../../core/errors.ts'
import { laneName } from '../../core/log.ts'
import type { EmbeddedLog } from '../../log/embedded.ts'
import { getJson } from '../../log/environment.ts'
import { exchangedAt, exchangeTasks, forgetTask, knowsTask } from '../../log/exchange.ts'
import { StagedStore } from '../../log/staged-store.ts'
import { LogTask } from '../../log/task.ts'
import { State } from '../../streams/state.ts'
import { hasCaughtUp, inheritTold, isBuilt } from '../../streams/succession.ts'
import type { ViewsPart } from './pipeline.ts'

export type RunViews = (part: ViewsPart, signal: AbortSignal) => Promise<void>

/** So long the former state is kept after another has taken its place. */
export const keepMs = 24 * 3600_000

/** Only so many records may be left when the former definition stops telling. */
const nearRecords = 1_000
const lookEveryMs = 50

/** The state that is being made beside the one that tells, or that was kept: the spare one. */
export function spareOf(group: string): string {
  return `${group}.spare`
}

export interface UpgradeOptions {
  readonly log: EmbeddedLog
  /** The views as they were: they tell on. */
  readonly former: ViewsPart
  /** The views as they shall be: they read, and tell nothing. */
  readonly next: ViewsPart
  readonly say: (line: string) => void
}

/**
 * Builds changed views beside those that serve, and then exchanges the two: what is stored decides
 * at a start where it goes on. A definition that was put back finds the state that it had.
 */
export class Upgrade {
  readonly next: ViewsPart
  readonly #options: UpgradeOptions
  isOver = false

  constructor(options: UpgradeOptions) {
    this.#options = options
    this.next = options.next
  }

  /** What the views read that tell, until it is over. */
  get topics(): readonly string[] {
    return this.#options.former.topics
  }

  /** Returns whether the new definition is in its place; if not, the former served to the end. */
  async run(run: RunViews, signal: AbortSignal): Promise<boolean> {
    const { former, next, say } = this.#options
    say('defined anew: the former definition serves until the new one has caught up')
    const [serving, filling] = [begin(run, former, signal), begin(run, next, signal)]
    await until(async () => signal.aborted || filling.isOver || (await this.#isNear()))
    if (!signal.aborted && !filling.isOver) {
      serving.stop()
      await serving.done
      await until(async () => signal.aborted || filling.isOver || (await this.#isThrough()))
      if (filling.isOver && !signal.aborted) await run(former, signal)
    }
    const isThrough = !signal.aborted && !filling.isOver
    if (isThrough) filling.stop()
    await Promise.all([filling.done, serving.done])
    if (filling.failure !== undefined && kindOf(filling.failure) === 'bug') throw filling.failure
    if (isThrough) await this.#takeOver()
    else if (serving.failure !== undefined) throw serving.failure
    return isThrough
  }

  async #isNear(): Promise<boolean> {
    const { log, next } = this.#options
    const state = durableState(log, next.group)
    if (next.meter.state !== 'running' || state === undefined || !isBuilt(state)) return false
    return next.progress.lag(await log.describe(), next.topics).records <= nearRecords
  }

  async #isThrough(): Promise<boolean> {
    const { log, former, next } = this.#options
    const [before, after] = [durableState(log, former.group), durableState(log, next.group)]
    if (before === undefined || after === undefined) return false
    const { topics } = await log.describe()
    const starts = topics.flatMap(({ topic, partitions }) =>
      partitions.map(({ start }, i) => [laneName(topic, i), start] as const),
    )
    return hasCaughtUp({ former: before, next: after }, next.topics, new Map(starts))
  }

  /** Every step can be done again: only the last one is seen by others. */
  async #takeOver(): Promise<void> {
    const { log, former, next, say } = this.#options
    const [from, to] = [new LogTask(log, former.group), new LogTask(log, next.group)]
    await from.resume('')
    const position = await to.resume('')
    const states = { former: new State(from.store), next: new State(to.store) }
    for (const _ of inheritTold(states)) {
      await to.commit({ source: '', position: position!, timestamp: Date.now() })
    }
    await from.close()
    await exchangeTasks(log, former.group, next.group)
    this.isOver = true
    say('the new definition has taken over; with the former one put back, it does so again')
  }
}

/** The views that are at work: also those that are being built beside. */
export function viewParts(views: ViewsPart | undefined): readonly ViewsPart[] {
  if (views === undefined) return []
  const { upgrade } = views
  return upgrade === undefined || upgrade.isOver ? [views] : [views, upgrade.next]
}

/** Forgets the spare state once nobody needs it; until then the log keeps what it needs. */
export async function forgetSpare(
  log: EmbeddedLog,
  group: string,
  signal: AbortSignal,
): Promise<void> {
  if (!knowsTask(log.environment, spareOf(group))) return
  const left = (exchangedAt(log.environment, group) ?? 0) + keepMs - Date.now()
  if (left > 0) await sleep(left, undefined, { signal, ref: false }).catch(() => {})
  if (!signal.aborted) await forgetTask(log, spareOf(group))
}

interface Work {
  readonly isOver: boolean
  readonly failure: unknown
  /** Resolves when it has ended, in whatever way. */
  readonly done: Promise<void>
  readonly stop: () => void
}

function begin(run: RunViews, part: ViewsPart, signal: AbortSignal): Work {
  const stopping = new AbortController()
  const work = { isOver: false, failure: undefined as unknown, stop: () => stopping.abort() }
  const done = run(part, AbortSignal.any([signal, stopping.signal]))
    .catch((error: unknown) => {
      work.failure = error
    })
    .then(() => {
      work.isOver = true
    })
  return Object.assign(work, { done })
}

async function until(isSo: () => Promise<boolean>): Promise<void> {
  while (!(await isSo())) await sleep(lookEveryMs)
}

function durableState({ environment }: EmbeddedLog, task: string): State | undefined {
  const id = getJson<number>(environment.meta, `task/${task}`)
  return id === undefined ? undefined : new State(new StagedStore(environment.state, id), 0)
}
