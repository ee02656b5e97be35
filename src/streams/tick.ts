import type { LogRecord, NewRecord } from '../core/record.ts'

/*
 * What the clock decided, as a record `{"stream":<ms or null>,"wall":<ms>,"task":<number>}` of the
 * topic `__millrace.<pipeline>.<topology>.ticks`. So it is decided once: a replay finds it in its
 * place among the other records.
 */

/** Times in ms since 1970. */
export interface Tick {
  /** To which the time of the records goes on; null if they carry it themselves. */
  readonly stream: number | null
  readonly wall: number
  /** The number of the task for which it is; by default the first. */
  readonly task?: number
}

export function ticksTopic(pipeline: string, topology: string): string {
  return `__millrace.${pipeline}.${topology}.ticks`
}

/** No part of the name has a dot in it. */
export function isTicksTopic(topic: string): boolean {
  return /^__millrace\.[^.]+\.[^.]+\.ticks$/.test(topic)
}

export function tickRecord(topic: string, tick: Tick, count: bigint): NewRecord {
  return {
    topic,
    key: null,
    value: Buffer.from(JSON.stringify(tick)),
    timestamp: tick.wall,
    version: count,
    ordinal: 0,
    endsCommit: true,
  }
}

export function readTick({ value }: LogRecord): Tick {
  return JSON.parse(Buffer.from(value!).toString()) as Tick
}
