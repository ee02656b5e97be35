import type { LogRecord } from '../../core/record.ts'
import type { Outcome } from '../../core/sink.ts'
import type { Inspection } from '../../log/inspection.ts'
import type { Letter, LetterState } from '../../log/letter.ts'
import { CommandFailure } from '../exit.ts'
import type { Parts, SinkPart } from '../run/pipeline.ts'
import { writeThrough } from '../run/write-through.ts'

/** What became of a letter that an operator has dealt with. */
export interface Dealt {
  readonly id: string
  readonly state: LetterState
  readonly note: string | null
}

/** The letters of a log, and the right to note what became of them. */
export interface LetterBox {
  readonly log: Inspection
  settle(letter: Letter, state: LetterState, note: string | null): Promise<void>
}

export interface Replaying {
  readonly parts: Parts
  readonly box: LetterBox
}

/** So many letters are written at a time. */
const batchLetters = 100

/** Marks letters as done with. One that is done with already stays as it is. */
export async function* skipLetters(box: LetterBox, ids: readonly string[]): AsyncGenerator<Dealt> {
  for (const letter of await find(box, ids)) {
    const note = 'skipped by an operator'
    if (letter.state === 'open') yield await settle(box, letter, 'skipped', note)
    else yield { id: letter.id, state: letter.state, note: letter.note }
  }
}

/**
 * Writes refused records again, unless the topic has a newer record of the key: then that one
 * counts, and the letter is outdated. What is refused again stays open. A crash in between leaves a
 * letter open that was written: writing it once more changes nothing.
 */
export async function* replayLetters(
  { parts, box }: Replaying,
  ids: readonly string[],
  signal: AbortSignal,
): AsyncGenerator<Dealt> {
  const letters = await find(box, ids)
  for (const [sink, own] of Map.groupBy(letters, ({ sink }) => sink)) {
    const part = parts.sinks.find(({ group }) => group === sink)
    if (part === undefined) throw new CommandFailure(`${sink}: ${noPart}`)
    for (const [topic, refused] of Map.groupBy(own, ({ topic }) => topic)) {
      yield* replayTopic({ part, box, topic }, refused, signal)
    }
  }
}

const noPart =
  'no sink of this pipeline refused these letters; those of views are told again when a view is rebuilt'

interface OneTopic {
  readonly part: SinkPart
  readonly box: LetterBox
  readonly topic: string
}

async function* replayTopic(
  { part, box, topic }: OneTopic,
  letters: readonly Letter[],
  signal: AbortSignal,
): AsyncGenerator<Dealt> {
  const newest = await newestOf(box.log, topic, letters)
  const current: Pending[] = []
  for (const letter of letters) {
    const record = letter.key === null ? undefined : newest.get(letter.key)
    if (letter.state === 'written') {
      yield { id: letter.id, state: 'written', note: letter.note }
    } else if (record?.offset === letter.offset && record.partition === letter.partition)
      current.push({ letter, record })
    else yield await settle(box, letter, 'outdated', outdated(letter, record))
  }
  for (let at = 0; at < current.length; at += batchLetters) {
    const batch = current.slice(at, at + batchLetters)
    const records = batch.map(({ record }) => record)
    const outcomes = await writeThrough(part, records, signal)
    for (const [i, { letter }] of batch.entries()) yield await note(box, letter, outcomes[i]!)
  }
}

interface Pending {
  readonly letter: Letter
  readonly record: LogRecord
}

function outdated({ key }: Letter, newest: LogRecord | undefined): string {
  if (key === null) return 'it has no key, so nothing can be written'
  if (newest === undefined) return 'the topic no longer holds a record of the key'
  const what = newest.value === null ? 'the key was deleted' : 'the key has a newer record'
  return `${what}, at offset ${newest.offset}`
}

async function note(box: LetterBox, letter: Letter, outcome: Outcome): Promise<Dealt> {
  if (outcome === 'stale') {
    return settle(box, letter, 'outdated', 'the target holds a newer version')
  }
  if (typeof outcome === 'string') return settle(box, letter, 'written', 'replayed')
  return { id: letter.id, state: 'open', note: `${outcome.code}: ${outcome.reason}` }
}

async function settle(
  box: LetterBox,
  letter: Letter,
  state: LetterState,
  note: string,
): Promise<Dealt> {
  await box.settle(letter, state, note)
  return { id: letter.id, state, note }
}

async function find({ log }: LetterBox, ids: readonly string[]): Promise<readonly Letter[]> {
  const wanted = new Set(ids)
  return (await log.letters()).filter(({ id }) => wanted.has(id))
}

/** The newest record of each letter's key, by the key as text. */
async function newestOf(
  log: Inspection,
  topic: string,
  letters: readonly Letter[],
): Promise<ReadonlyMap<string, LogRecord>> {
  const keys = new Set(letters.flatMap(({ key }) => key ?? []))
  const places = letters.map(({ partition, offset, sequence }) => {
    return { partition, offset, sequence: BigInt(sequence) }
  })
  const newest = new Map<string, LogRecord>()
  for await (const record of log.scan(topic, places).more()) {
    const key = record.key === null ? null : Buffer.from(record.key).toString()
    if (key !== null && keys.has(key)) newest.set(key, record)
  }
  return newest
}
