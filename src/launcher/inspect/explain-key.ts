import { decodeDocument } from '../../core/document.ts'
import { keyId } from '../../core/document-id.ts'
import { type StoredDocument, statesOf, type ToldState } from '../../core/reading.ts'
import type { LogRecord } from '../../core/record.ts'
import type { Inspection } from '../../log/inspection.ts'
import type { Letter } from '../../log/letter.ts'
import type { Subject } from './sink-subject.ts'
import { digestOf } from './topic-state.ts'

/** A record on the way of a key, without its row. */
export interface Station {
  readonly topic: string
  readonly partition: number
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
  readonly document: Found | null
  /** What else the newest record concerns: the set that a row has left, more keys of a cache. */
  readonly others: readonly { readonly id: string; readonly document: Found | null }[]
  /** `pending`: the sink has not come to the newest record yet. */
  readonly verdict: 'agree' | 'pending' | 'refused' | 'differ'
  readonly letters: readonly Pick<Letter, 'id' | 'state' | 'code' | 'reason' | 'attempts'>[]
}

export interface Found {
  readonly version: string
  readonly deleted: boolean
}

/** So many records of a key are shown of each topic. */
const newest = 3

/**
 * Follows one key from the topic to the sink. It is given as JSON, as in the topic, or as the text
 * of its column, or as the id in the sink. Undefined if neither topic nor sink knows it.
 */
export async function explainKey(
  log: Inspection,
  subject: Subject,
  wanted: string,
): Promise<Explanation | undefined> {
  const { origin, topic, reading } = subject
  const isIt = matcher(wanted, subject)
  const found = await lastOf(log, topic, isIt)
  const last = found.at(-1)
  const states = statesOfKey(reading, last, wanted)
  const positions = await reading.checkpoints()
  const held = new Map((await reading.some(states.map(({ id }) => id))).map((at) => [at.id, at]))
  if (last === undefined && held.size === 0) return undefined
  const before = origin === topic ? [] : await lastOf(log, origin, isIt)
  const letters = await lettersOfKey(log, subject, last)
  const isRefused = letters.some(({ state, offset, partition }) => {
    const isLast = offset === last?.offset && partition === last.partition
    return isLast && (state === 'open' || state === 'skipped')
  })
  const agrees = states.every((state) => agree(subject, last, state, held.get(state.id)))
  const position = positions.get(last?.partition ?? 0) ?? null
  const { id } = states.at(-1)!
  const isPending = last !== undefined && !log.isPassed(position, topic, last)
  return {
    sink: subject.name,
    key: last?.key ? Buffer.from(last.key).toString() : wanted,
    id,
    records: [...before, ...found].map((record) => station(record, subject)),
    document: foundOf(held.get(id)),
    others: states.slice(0, -1).map(({ id }) => ({ id, document: foundOf(held.get(id)) })),
    verdict: agrees ? 'agree' : isRefused ? 'refused' : isPending ? 'pending' : 'differ',
    letters: letters.map(({ id, state, code, reason, attempts }) => {
      return { id, state, code, reason, attempts }
    }),
  }
}

async function lastOf(
  log: Inspection,
  topic: string,
  isIt: (key: Uint8Array) => boolean,
): Promise<readonly LogRecord[]> {
  const last: LogRecord[] = []
  for await (const record of log.scan(topic).more()) {
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

async function lettersOfKey(
  log: Inspection,
  { group, topic }: Subject,
  last: LogRecord | undefined,
): Promise<readonly Letter[]> {
  if (!last?.key) return []
  const text = Buffer.from(last.key).toString()
  return (await log.letters()).filter((letter) => {
    return letter.sink === group && letter.topic === topic && letter.key === text
  })
}

/** At least one: of a record that concerns nothing in the sink, what would be there of its key. */
function statesOfKey(
  reading: Subject['reading'],
  last: LogRecord | undefined,
  wanted: string,
): readonly ToldState[] {
  const states = last === undefined ? [] : statesOf(reading, last)
  if (states.length > 0) return states
  return [{ id: last?.key ? reading.idOf(last.key) : wanted, doc: null }]
}

function foundOf(held: StoredDocument | undefined): Found | null {
  return held ? { version: String(held.version), deleted: held.doc === null } : null
}

function agree(
  { reading }: Subject,
  record: LogRecord | undefined,
  { doc }: ToldState,
  held: StoredDocument | undefined,
): boolean {
  const found = held?.doc ?? null
  if (doc === null) {
    const isLate = reading.tellsDeletes && held && record && held.version < record.version
    return found === null && !isLate
  }
  if (found === null) return reading.expires
  return held!.version === record!.version && digestOf(doc()) === digestOf(found)
}

function station(record: LogRecord, { reading }: Subject): Station {
  const { topic, partition, offset, sequence, version, ordinal, timestamp } = record
  const document = decodeDocument(record, reading.idOf)
  return {
    topic,
    partition,
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
