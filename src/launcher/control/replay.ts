import type { LogRecord } from '../../core/record.ts'
import type { Outcome } from '../../core/sink.ts'
import type { EmbeddedLog } from '../../log/embedded.ts'
import { type Letter, type LetterState, lettersOf } from '../../log/letter.ts'
import { newestOf } from '../../log/scan.ts'
import { CommandFailure } from '../exit.ts'
import type { Parts, SinkPart } from '../run/pipeline.ts'
import { writeThrough } from '../run/write-through.ts'

/** What became of a letter that an operator has dealt with. */
export interface Dealt {
  readonly id: string
  readonly state: LetterState
  readonly note: string | null
}

export interface Replaying {
  readonly parts: Parts
  readonly log: EmbeddedLog
}

/** So many letters are written at a time. */
const batchLetters = 100

/** Marks letters as done with. One that is done with already stays as it is. */
export async function* skipLetters(
  log: EmbeddedLog,
  ids: readonly string[],
): AsyncGenerator<Dealt> {
  for (const letter of find(log, ids)) {
    const note = 'skipped by an operator'
    if (letter.state === 'open') yield await settle(log, letter, 'skipped', note)
    else yield { id: letter.id, state: letter.state, note: letter.note }
  }
}

/**
 * Writes refused records again, unless the topic has a newer record of the key: then that one
 * counts, and the letter is outdated. What is refused again stays open. A crash in between leaves a
 * letter open that was written: writing it once more changes nothing.
 */
export async function* replayLetters(
  { parts, log }: Replaying,
  ids: readonly string[],
  signal: AbortSignal,
): AsyncGenerator<Dealt> {
  const letters = find(log, ids)
  for (const [sink, own] of Map.groupBy(letters, ({ sink }) => sink)) {
    const part = parts.sinks.find(({ group }) => group === sink)
    if (part === undefined) throw new CommandFailure(`${sink}: ${noPart}`)
    for (const [topic, refused] of Map.groupBy(own, ({ topic }) => topic)) {
      yield* replayTopic({ part, log, topic }, refused, signal)
    }
  }
}

const noPart =
  'no sink of this pipeline refused these letters; those of views are told again when a view is rebuilt'

interface OneTopic {
  readonly part: SinkPart
  readonly log: EmbeddedLog
  readonly topic: string
}

async function* replayTopic(
  { part, log, topic }: OneTopic,
  letters: readonly Letter[],
  signal: AbortSignal,
): AsyncGenerator<Dealt> {
  const from = Math.min(...letters.map(({ sequence }) => sequence))
  const keys = new Set(letters.flatMap(({ key }) => key ?? []))
  const newest = await newestOf(log, topic, { keys, from })
  const current: Pending[] = []
  for (const letter of letters) {
    const record = letter.key === null ? undefined : newest.get(letter.key)
    if (letter.state === 'written') {
      yield { id: letter.id, state: 'written', note: letter.note }
    } else if (record?.offset === letter.offset) current.push({ letter, record })
    else yield await settle(log, letter, 'outdated', outdated(letter, record))
  }
  for (let at = 0; at < current.length; at += batchLetters) {
    const batch = current.slice(at, at + batchLetters)
    const records = batch.map(({ record }) => record)
    const outcomes = await writeThrough(part, records, signal)
    for (const [i, { letter }] of batch.entries()) yield await note(log, letter, outcomes[i]!)
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

async function note(log: EmbeddedLog, letter: Letter, outcome: Outcome): Promise<Dealt> {
  if (outcome === 'stale') {
    return settle(log, letter, 'outdated', 'the target holds a newer version')
  }
  if (typeof outcome === 'string') return settle(log, letter, 'written', 'replayed')
  return { id: letter.id, state: 'open', note: `${outcome.code}: ${outcome.reason}` }
}

async function settle(
  log: EmbeddedLog,
  letter: Letter,
  state: LetterState,
  note: string,
): Promise<Dealt> {
  await log.letters.settle(letter, state, note)
  return { id: letter.id, state, note }
}

function find(log: EmbeddedLog, ids: readonly string[]): readonly Letter[] {
  const wanted = new Set(ids)
  return [...lettersOf(log)].filter(({ id }) => wanted.has(id))
}
