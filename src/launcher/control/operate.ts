import type { Log } from '../../core/log.ts'
import { didYouMean } from '../config/nearest.ts'
import { CommandFailure } from '../exit.ts'
import type { Parts, SinkPart } from '../run/pipeline.ts'
import type { Reindexes } from '../run/reindexes.ts'
import type { Question } from './control.ts'
import { mend } from './mend.ts'
import { readPauses, savePause } from './pauses.ts'
import { type LetterBox, replayLetters, skipLetters } from './replay.ts'
import { refill, rewind } from './rewind.ts'

export interface Operated {
  readonly parts: Parts
  readonly log: Log
  readonly box: LetterBox
  /** The data directory. */
  readonly directory: string
  readonly reindexes: Reindexes
}

export type Operation = Extract<Question, { readonly ask: 'sink' | 'letters' | 'mend' | 'reindex' }>

/** What an operator has done to the sinks of a running pipeline: a line for each thing done. */
export async function* operate(
  operated: Operated,
  asked: Operation,
  signal: AbortSignal,
): AsyncGenerator<unknown> {
  const { parts, box } = operated
  if (asked.ask === 'sink') yield* control(operated, asked)
  else if (asked.ask === 'reindex') yield await reindex(operated, asked)
  else if (asked.ask === 'mend') {
    const part = sinkNamed(parts, asked.part)[0]!
    yield* mend({ part, log: box.log }, asked.items, signal)
  } else if (asked.do === 'skip') yield* skipLetters(box, asked.ids)
  else yield* replayLetters({ parts, box }, asked.ids, signal)
}

async function reindex(
  { parts, log, reindexes }: Operated,
  { part: name, do: order }: Extract<Operation, { readonly ask: 'reindex' }>,
): Promise<unknown> {
  const part = sinkNamed(parts, name)[0]!
  if (order === 'status') return reindexes.status(part, await log.describe())
  return { said: order === 'start' ? reindexes.start(part) : await reindexes.end(part, order) }
}

/** What was paused before this start is paused from the start. */
export function keepPaused({ connectors, sinks }: Parts, directory: string): void {
  const paused = { connectors, sinks }
  for (const what of ['connectors', 'sinks'] as const) {
    const pauses = readPauses(directory, what)
    for (const { name, gate } of paused[what]) {
      const since = pauses.get(name)
      if (since !== undefined) gate.pause(since)
    }
  }
}

/** One that reads several topics has a part for each, named `<sink>/<topic>`. */
export function sinkNamed({ sinks }: Parts, name: string): readonly SinkPart[] {
  const found = sinks.filter((part) => part.name === name || part.name.startsWith(`${name}/`))
  if (found.length > 0) return found
  const known = sinks.map((part) => part.name)
  throw new CommandFailure(`there is no sink ${JSON.stringify(name)}${didYouMean(name, known)}`)
}

async function* control(
  operated: Operated,
  asked: Extract<Operation, { readonly ask: 'sink' }>,
): AsyncGenerator<{ readonly part: string; readonly said: string }> {
  for (const part of sinkNamed(operated.parts, asked.sink)) {
    yield { part: part.name, said: await controlPart(operated, part, asked) }
  }
}

async function controlPart(
  { box, directory }: Operated,
  part: SinkPart,
  asked: Extract<Operation, { readonly ask: 'sink' }>,
): Promise<string> {
  if (asked.do === 'pause') return pause(part, directory)
  if (asked.do === 'resume') return resume(part, directory)
  if (asked.do === 'refill') return refill(part, box.log)
  return rewind(part, box.log, asked.to)
}

/** Written down first: what is paused stays paused, whatever happens. */
function pause({ name, gate }: SinkPart, directory: string): string {
  if (gate.pausedSince !== null) return `is paused already, since ${gate.pausedSince}`
  const since = new Date().toISOString()
  savePause(directory, 'sinks', [name], since)
  gate.pause(since)
  return 'paused: it keeps its position, also over a restart'
}

function resume({ name, gate, guard, meter }: SinkPart, directory: string): string {
  if (gate.pausedSince === null && guard.isShut) {
    guard.lift()
    gate.open()
    return 'goes on: what is refused becomes dead letters'
  }
  if (gate.pausedSince === null) return `is not paused by an operator: it is ${meter.state}`
  savePause(directory, 'sinks', [name], null)
  gate.open()
  return 'goes on from where it was'
}
