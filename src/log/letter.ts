/*
 * What is known of a dead letter beside its record, which lies in `<topic>.dlq`:
 *
 *   ["<sink>","<topic>",<partition>,"<offset>"] → {"at":…,"sequence":…,"version":…,"key":…,…}
 *
 * `at` is the sequence under which the record lies in the dead-letter topic (on Kafka, its time),
 * `sequence` the one it has in the topic that it was refused from.
 */
import { createHash } from 'node:crypto'
import type { LogRecord } from '../core/record.ts'
import type { Readable } from './readable.ts'
import { recordsAt } from './scan.ts'

/** Open, or done with: written again, outdated by a newer record, or passed over by an operator. */
export type LetterState = 'open' | 'written' | 'outdated' | 'skipped'

export interface StoredLetter {
  readonly at: number
  readonly sequence: number
  readonly version: string
  /** As text; null if the record has none. */
  readonly key: string | null
  readonly stage: string
  readonly code: string
  readonly reason: string
  /** How often the target has refused it. */
  readonly attempts: number
  /** When it was refused first, and last, in ms since 1970. */
  readonly firstAt: number
  readonly lastAt: number
  readonly state: LetterState
  /** Why it is done with. */
  readonly note: string | null
}

/** A record that a sink refused, and what became of it since. */
export interface Letter extends StoredLetter {
  /** Short, and the same after every restart. */
  readonly id: string
  /** The group of the sink that refused it. */
  readonly sink: string
  readonly topic: string
  readonly partition: number
  readonly offset: bigint
}

export interface LetterPlace {
  readonly sink: string
  readonly topic: string
  readonly partition: number
  readonly offset: bigint
}

/** Under which a letter's state is stored. */
export function letterKey({ sink, topic, partition, offset }: LetterPlace): string {
  return JSON.stringify([sink, topic, partition, String(offset)])
}

/** All letters of a log, by sink, topic and offset as text. */
export function* lettersOf({ environment }: Pick<Readable, 'environment'>): Generator<Letter> {
  for (const { key, value } of environment.letters.getRange()) yield readLetter(key, value)
}

export function readLetter(key: string, value: Buffer): Letter {
  return letterOf(key, JSON.parse(value.toString()) as StoredLetter)
}

export function letterOf(key: string, stored: StoredLetter): Letter {
  const [sink, topic, partition, offset] = JSON.parse(key) as [string, string, number, string]
  const id = createHash('sha256').update(key).digest('hex').slice(0, 10)
  return { id, sink, topic, partition, offset: BigInt(offset), ...stored }
}

/** The record in the dead-letter topic: the original bytes, and headers that say what was wrong. */
export function recordOf(log: Readable, letter: Letter): LogRecord | undefined {
  const lane = log.lanes.get(`${letter.topic}.dlq`)
  if (lane === undefined) return undefined
  const end = log.visible([lane.topic])
  for (const record of recordsAt(log, lane, { sequence: letter.at, end })) {
    if (keyOfRecord(record) === letterKey(letter)) return withHeaders(record, letter)
  }
  return undefined
}

/** Which letter's record this one of a dead-letter topic is, as `letterKey` names it. */
export function keyOfRecord({ headers = {} }: LogRecord): string {
  const [sink = '', topic = '', partition = '', offset = ''] = placeHeaders.map(
    (name) => headers[name],
  )
  return JSON.stringify([sink, topic, Number(partition), offset])
}

/** The record, with what stands on the letter by now. */
export function withHeaders(record: LogRecord, letter: Letter): LogRecord {
  return { ...record, headers: { ...record.headers, ...headersOf(letter) } }
}

const placeHeaders = [
  '__connect.errors.connector.name',
  '__connect.errors.topic',
  '__connect.errors.partition',
  '__connect.errors.offset',
]

/** What stands on a letter, under the names that Kafka Connect gives it; the rest is ours. */
export function headersOf(letter: Omit<Letter, 'id' | 'at'>): Record<string, string> {
  return {
    '__connect.errors.topic': letter.topic,
    '__connect.errors.partition': String(letter.partition),
    '__connect.errors.offset': String(letter.offset),
    '__connect.errors.connector.name': letter.sink,
    '__connect.errors.task.id': String(letter.partition),
    '__connect.errors.stage': letter.stage,
    '__connect.errors.class.name': 'millrace',
    '__connect.errors.exception.class.name': letter.code,
    '__connect.errors.exception.message': letter.reason,
    'millrace.version': letter.version,
    'millrace.attempts': String(letter.attempts),
    'millrace.first': new Date(letter.firstAt).toISOString(),
    'millrace.last': new Date(letter.lastAt).toISOString(),
  }
}
