import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { LogRecord } from '../../core/record.ts'
import type { Position, Source } from '../../core/source.ts'
import { encodePosition, startOf } from '../../log/position.ts'
import type { Readable } from '../../log/readable.ts'
import { didYouMean } from '../config/nearest.ts'
import { CommandFailure } from '../exit.ts'

/** A record as `millrace tap` shows it; bytes are UTF-8 text, which JSON is. */
export interface Tapped {
  readonly topic: string
  readonly partition: number
  readonly offset: string
  readonly sequence: string
  readonly version: string
  readonly ordinal: number
  readonly timestamp: number
  readonly key: string | null
  readonly value: string | null
  readonly headers?: Readonly<Record<string, string>>
}

export interface TapOptions {
  readonly topic: string
  readonly from: 'beginning' | 'end'
}

/** A log that can be read without being remembered as one of its readers. */
export interface Tappable extends Readable {
  reader(topics: readonly string[], group: string): Source<LogRecord>
}

/** The records of a topic, and those that come. Throws if there is no such topic. */
export async function* tap(
  log: Tappable,
  { topic, from }: TapOptions,
  signal: AbortSignal,
): AsyncGenerator<Tapped> {
  if (log.lanes.get(topic) === undefined) throw new CommandFailure(unknownTopic(log, topic))
  const start = from === 'end' ? endOf(log) : undefined
  for await (const { records } of log.reader([topic], 'tap').read(start, signal)) {
    yield* records.map(show)
  }
}

/** One line for people: when, where, key and value. */
export function showTapped({ timestamp, partition, offset, key, value }: Tapped): string {
  const time = new Date(timestamp).toISOString()
  return `${time} ${partition}:${offset} ${key ?? '-'} ${value ?? '(tombstone)'}`
}

/** One line of JSON. Key and value stand in it as they are: no digit of a number is lost. */
export function tappedAsJson({ key, value, ...rest }: Tapped): string {
  const head = JSON.stringify(rest).slice(0, -1)
  return `${head},"key":${asJson(key)},"value":${asJson(value)}}`
}

/** Whether a directory holds an embedded log. */
export function holdsLog(directory: string): boolean {
  return existsSync(join(directory, 'log.mdb'))
}

function endOf(log: Readable): Position {
  return encodePosition({ start: startOf(log.history, log.head), sequence: log.head, ordinal: 0 })
}

function unknownTopic(log: Readable, topic: string): string {
  const topics = [...log.lanes.all].map((lane) => lane.topic)
  return `there is no topic ${topic}${didYouMean(topic, topics)}`
}

export function show(record: LogRecord): Tapped {
  const { topic, partition, offset, sequence, version, ordinal, timestamp, headers } = record
  return {
    topic,
    partition,
    offset: String(offset),
    sequence: String(sequence),
    version: String(version),
    ordinal,
    timestamp,
    key: text(record.key),
    value: text(record.value),
    ...(headers === undefined ? {} : { headers }),
  }
}

const decoder = new TextDecoder()

function text(bytes: Uint8Array | null): string | null {
  return bytes === null ? null : decoder.decode(bytes)
}

function asJson(text: string | null): string {
  if (text === null) return 'null'
  try {
    JSON.parse(text)
    return text
  } catch {
    return JSON.stringify(text)
  }
}
