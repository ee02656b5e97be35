import { decodeDocument } from '../../core/document.ts'
import { keyId } from '../../core/document-id.ts'
import type { StoredDocument } from '../../core/reading.ts'
import type { LogRecord } from '../../core/record.ts'
import { type Letter, lettersOf } from '../../log/letter.ts'
import { decodePosition } from '../../log/position.ts'
import type { ReadOnlyLog } from '../../log/read-only.ts'
import { scanTopic } from '../../log/scan.ts'
import type { Subject } from './sink-subject.ts'
import { digestOf } from './topic-state.ts'

/** A record on the way of a key, without its row. */
export interface Station {
  readonly topic: string
  readonly offset: string
  readonly sequence: string
  readonly version: string
  readonly ordinal: number
  readonly timestamp: number
  /** What it does to the document; `refused`: it cannot be read as a change. */
  readonly does: 'write' | 'delete' | 'nothing' | 'refused'
}

/** The way of one key: its newest records, the document, and whether the two agree. */
export interface Explanation {
  readonly sink: string
  readonly key: string
  readonly id: string
  /** The newest last, by topic in the order in which they are passed. */
  readonly records: readonly Station[]
  readonly document: { readonly version: string; readonly deleted: boolean } | null
  /** `pending`: the sink has not come to the newest record yet. */
  readonly verdict: 'agree' | 'pending' | 'refused' | 'differ'
  readonly letters: readonly Pick<Letter, 'id' | 'state' | 'code' | 'reason' | 'attempts'>[]
}

/** So many records of a key are shown of each topic. */
const newest = 3

/**
 * Follows one key from the topic to the sink. It is given as JSON, as in the topic, or as the text
 * of its column, or as the id in the sink. Undefined if neither topic nor sink knows it.
 */
export async function explainKey(
  log: ReadOnlyLog,
  subject: Subject,
  wanted: string,
): Promise<Explanation | undefined> {
  const { origin, topic, reading } = subject
  const isIt = matcher(wanted, subject)
  const found = await lastOf(log, topic, isIt)
  const last = found.at(-1)
  const id = last?.key ? reading.idOf(last.key) : wanted
  const position = await reading.checkpoint()
  const document = (await reading.some([id]))[0]
  if (last === undefined && document === undefined) return undefined
  const before = origin === topic ? [] : await lastOf(log, origin, isIt)
  const letters = lettersOfKey(log, subject, last)
  const delivered = (position && decodePosition(position)?.sequence) ?? 0
  const isRefused = letters.some(({ state, offset }) => {
    return offset === last?.offset && (state === 'open' || state === 'skipped')
  })
  const agrees = agree(subject, last, document)
  const isPending = last !== undefined && Number(last.sequence) >= delivered
  return {
    sink: subject.name,
    key: last?.key ? Buffer.from(last.key).toString() : wanted,
    id,
    records: [...before, ...found].map((record) => station(record, subject)),
    document: document
      ? { version: String(document.version), deleted: document.doc === null }
      : null,
    verdict: agrees ? 'agree' : isRefused ? 'refused' : isPending ? 'pending' : 'differ',
    letters: letters.map(({ id, state, code, reason, attempts }) => {
      return { id, state, code, reason, attempts }
    }),
  }
}

async function lastOf(
  log: ReadOnlyLog,
  topic: string,
  isIt: (key: Uint8Array) => boolean,
): Promise<readonly LogRecord[]> {
  const last: LogRecord[] = []
  for await (const record of scanTopic(log, topic, { end: log.visible([topic]) })) {
    if (record.key === null || !isIt(record.key)) continue
    last.push(record)
    if (last.length > newest) last.shift()
  }
  return last
}

function matcher(wanted: string, { reading }: Subject): (key: Uint8Array) => boolean {
  const asJson = normal(wanted)
  return (key) => {
    const text = Buffer.from(key).toString()
    if (text === wanted || text === asJson) return true
    try {
      return keyId(key) === wanted || reading.idOf(key) === wanted
    } catch {
      return false
    }
  }
}

/** As connectors write it: without white space. */
function normal(text: string): string | undefined {
  try {
    return JSON.stringify(JSON.parse(text))
  } catch {
    return undefined
  }
}

function lettersOfKey(
  log: ReadOnlyLog,
  { group, topic }: Subject,
  last: LogRecord | undefined,
): readonly Letter[] {
  if (!last?.key) return []
  const text = Buffer.from(last.key).toString()
  return [...lettersOf(log)].filter((letter) => {
    return letter.sink === group && letter.topic === topic && letter.key === text
  })
}

function agree(
  { reading }: Subject,
  record: LogRecord | undefined,
  held: StoredDocument | undefined,
): boolean {
  const document = record && decodeDocument(record, reading.idOf)
  const doc = held?.doc ?? null
  if (document === undefined || typeof document === 'string' || 'code' in document) {
    return doc === null
  }
  if (document.body === null) return doc === null
  if (doc === null) return reading.expires
  const text = reading.render?.(document.body) ?? Buffer.from(document.body).toString()
  return held!.version === document.version && digestOf(text) === digestOf(doc)
}

function station(record: LogRecord, { reading }: Subject): Station {
  const { topic, offset, sequence, version, ordinal, timestamp } = record
  const document = decodeDocument(record, reading.idOf)
  return {
    topic,
    offset: String(offset),
    sequence: String(sequence),
    version: String(version),
    ordinal,
    timestamp,
    does:
      document === 'filtered'
        ? 'nothing'
        : 'code' in document
          ? 'refused'
          : document.body === null
            ? 'delete'
            : 'write',
  }
}
