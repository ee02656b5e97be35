import { setTimeout as sleep } from 'node:timers/promises'
import type { NewRecord } from '../core/record.ts'
import type { Sink } from '../core/sink.ts'
import type { Position } from '../core/source.ts'
import type { StreamTask } from './stream-task.ts'
import { type Tick, tickRecord } from './tick.ts'

export interface TickerOptions {
  readonly topic: string
  /** Writes the topic; nobody else does. */
  readonly writer: Sink<NewRecord>
  /** Of whom a timer may be due. Undefined until it runs. */
  readonly task: () => StreamTask | undefined
  /** Whether everything that was committed by now has been read. */
  readonly isCaughtUp: () => Promise<boolean>
  readonly idleMs: number | undefined
  /** The number of the task, where there are several. */
  readonly number?: number
  readonly now?: () => number
}

const everyMs = 200

/** Writes a tick when a timer of a topology is due, and only then. */
export class Ticker {
  readonly #options: TickerOptions
  #count = 0n
  #written = 0

  constructor(options: TickerOptions) {
    this.#options = options
  }

  async run(signal: AbortSignal): Promise<void> {
    const { writer, topic } = this.#options
    this.#count = BigInt((await writer.resume(topic)) ?? 0)
    while (!signal.aborted) {
      await sleep(everyMs, undefined, { signal, ref: false }).catch(() => {})
      if (!signal.aborted) await this.check()
    }
  }

  /** Writes a tick, if one is due. */
  async check(): Promise<void> {
    const { topic, writer, number: task = 0 } = this.#options
    const due = this.#due()
    const tick = due && { ...due, ...(task > 0 && { task }) }
    if (tick === undefined || !(await this.#options.isCaughtUp())) return
    this.#written = tick.wall
    const position = String(++this.#count) as Position
    const records = [tickRecord(topic, tick, this.#count)]
    await writer.write({ records, position, complete: true })
    await writer.commit({ source: topic, position, timestamp: tick.wall })
  }

  #due(): Tick | undefined {
    const { task: open, now = Date.now, idleMs } = this.#options
    const task = open()
    // One tick at a time: what the last one has done must be known.
    if (task === undefined || task.lastTick < this.#written) return undefined
    const wall = now()
    const stream = idleMs === undefined ? null : wall - idleMs
    const isStreamDue =
      stream !== null && task.idleSince <= stream && isPast(task.due('stream'), stream)
    if (isStreamDue) return { stream, wall }
    return isPast(task.due('wall'), wall) ? { stream: null, wall } : undefined
  }
}

function isPast(due: number | undefined, time: number): boolean {
  return due !== undefined && due <= time
}
