/*
 * Which sinks are being filled anew beside what serves, and since when: `reindex.json` in the data
 * directory, so that a restart goes on with them. It may be missing: there is none.
 *
 *   {"v":1,"sinks":{"search":"2025-01-02T03:04:05.678Z"}}
 */
import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { describeError } from '../../core/errors.ts'
import { gatherBatches } from '../../core/gather.ts'
import type { Log, LogInfo } from '../../core/log.ts'
import { Meter } from '../../core/meter.ts'
import { pump } from '../../core/pump.ts'
import { RefusalGuard } from '../../core/refusal-guard.ts'
import type { Reindexing } from '../../core/reindexing.ts'
import { supervise } from '../../core/supervise.ts'
import { CommandFailure } from '../exit.ts'
import { Errands } from './errands.ts'
import { eachAssignment, type SinkPart } from './pipeline.ts'
import { Progress } from './progress.ts'

const format = z.strictObject({ v: z.literal(1), sinks: z.record(z.string(), z.string()) })

/** How far the filling of a new target is. */
export interface ReindexStatus {
  readonly part: string
  readonly since: string | null
  readonly state: Meter['state'] | 'none'
  readonly reason: string | null
  readonly records: number
  readonly dead: number
  /** Records that it has not come to. */
  readonly pending: number
}

interface Filling {
  readonly since: string
  readonly meter: Meter
  readonly progress: Progress
  readonly stop: AbortController
  readonly done: Promise<void>
}

export interface ReindexesOptions {
  readonly log: Log
  /** Has the log forget a group that reads no more. */
  readonly forget: (group: string) => Promise<void>
  /** The processes that read for a group, where there may be several. */
  readonly membersOf: (group: string) => Promise<readonly string[]>
  /** The data directory. */
  readonly directory: string
}

/** Fills new targets beside those that serve, while the pipeline runs. */
export class Reindexes {
  readonly #log: Log
  readonly #forgetGroup: ReindexesOptions['forget']
  readonly #membersOf: ReindexesOptions['membersOf']
  readonly #file: string
  readonly #signal: AbortSignal
  readonly #running = new Map<string, Filling>()

  constructor({ log, forget, membersOf, directory }: ReindexesOptions, signal: AbortSignal) {
    this.#log = log
    this.#forgetGroup = forget
    this.#membersOf = membersOf
    this.#file = join(directory, 'reindex.json')
    this.#signal = signal
  }

  /** Goes on with what was under way when the process ended. */
  continue(parts: readonly SinkPart[]): void {
    const stored = this.#stored()
    for (const part of parts) {
      if (stored[part.name] !== undefined && part.reindexing !== undefined) this.start(part)
    }
  }

  start(part: SinkPart): string {
    if (this.#running.has(part.name)) return 'is being filled beside the one that serves'
    const since = this.#stored()[part.name] ?? new Date().toISOString()
    reindexingOf(part)
      .close()
      .catch(() => {}) // Whether it can be filled so is known at once.
    this.#store({ ...this.#stored(), [part.name]: since })
    const [meter, progress, stop] = [new Meter(), new Progress(), new AbortController()]
    const done = this.#fill(part, { meter, progress }, AbortSignal.any([stop.signal, this.#signal]))
    this.#running.set(part.name, { since, meter, progress, stop, done })
    return 'is filled beside the one that serves'
  }

  status({ name, topics }: SinkPart, info: LogInfo): ReindexStatus {
    const filling = this.#running.get(name)
    if (filling === undefined) {
      return { part: name, since: null, state: 'none', reason: null, ...nothing }
    }
    const { since, meter, progress } = filling
    const { state, reason, records, dead } = meter
    const pending = progress.lag(info, topics).records
    return { part: name, since, state, reason, records, dead, pending }
  }

  /** Nobody writes to either target while they are exchanged; then the sink goes on. */
  async end(part: SinkPart, how: 'swap' | 'rollback' | 'cancel' | 'finish'): Promise<string> {
    const reindexing = reindexingOf(part)
    try {
      if (how === 'finish') return await reindexing.finish()
      await this.#assertAlone(part)
      await this.#stop(part)
      let said = ''
      const work = async () => void (said = await reindexing[how]())
      await part.gate.orderOnce(work).catch((error: unknown) => {
        if (how === 'swap') this.start(part)
        throw error
      })
      await this.#forget(part)
      return said
    } catch (error) {
      throw error instanceof CommandFailure ? error : new CommandFailure(describeError(error))
    } finally {
      await reindexing.close()
    }
  }

  /** Once the pipeline ends. */
  async close(): Promise<void> {
    await Promise.all([...this.#running.values()].map(({ done }) => done))
  }

  async #fill(
    part: SinkPart,
    { meter, progress }: Pick<Filling, 'meter' | 'progress'>,
    signal: AbortSignal,
  ): Promise<void> {
    const log = this.#log
    const reading = { topics: part.topics, group: groupOf(part), meter }
    const fill = eachAssignment(log, reading, signal, async ({ source, partition, signal }) => {
      const reindexing = reindexingOf(part, partition)
      const [errands, guard] = [new Errands(), new RefusalGuard()]
      const work = async (signal: AbortSignal) => {
        const sink = await reindexing.open()
        const pipe = {
          source: errands.join(progress.follow(source, meter)),
          sink: errands.watch(sink, guard),
          deadLetters: log.deadLetters(part.group),
          ...{ meter, idleMs: 10_000, gathering: gatherBatches },
        }
        await pump(pipe, signal).finally(() => sink.close())
      }
      await supervise(work, meter, signal).finally(() => reindexing.close())
    })
    await fill.catch((error: unknown) => {
      meter.state = 'failed'
      meter.reason = describeError(error)
    })
  }

  /** Another process would write to a target that is about to be exchanged. */
  async #assertAlone({ name, group }: SinkPart): Promise<void> {
    const members = await this.#membersOf(group)
    if (members.length < 2) return
    const facts = `${name} runs in ${members.length} processes (${members.join(', ')})`
    throw new CommandFailure(`${facts}: stop all but this one, and do that again`)
  }

  async #stop(part: SinkPart): Promise<void> {
    const filling = this.#running.get(part.name)
    filling?.stop.abort()
    await filling?.done
    this.#running.delete(part.name)
  }

  async #forget(part: SinkPart): Promise<void> {
    const { [part.name]: _, ...others } = this.#stored()
    this.#store(others)
    await this.#forgetGroup(groupOf(part))
  }

  #stored(): Readonly<Record<string, string>> {
    try {
      return format.parse(JSON.parse(readFileSync(this.#file, 'utf8'))).sinks
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return {}
      throw new CommandFailure(`${this.#file} is not of this version: remove it, and start again`)
    }
  }

  #store(sinks: Readonly<Record<string, string>>): void {
    writeFileSync(`${this.#file}.new`, `${JSON.stringify({ v: 1, sinks })}\n`, { mode: 0o600 })
    renameSync(`${this.#file}.new`, this.#file)
  }
}

const nothing = { records: 0, dead: 0, pending: 0 }

function groupOf({ group }: SinkPart): string {
  return `${group}~next`
}

function reindexingOf({ name, reindexing }: SinkPart, partition = 0): Reindexing {
  const other = `${name}: a sink of its type is filled anew by \`millrace sink refill\``
  if (reindexing === undefined) throw new CommandFailure(other)
  try {
    return reindexing(partition)
  } catch (error) {
    throw new CommandFailure(describeError(error))
  }
}
