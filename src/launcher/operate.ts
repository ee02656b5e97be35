import type { EmbeddedLog } from '../log/embedded.ts'
import { positionOfBeginning, positionSince } from '../log/scan.ts'
import type { Question } from './control.ts'
import { CommandFailure } from './exit.ts'
import { mend } from './mend.ts'
import { didYouMean } from './nearest.ts'
import { readPauses, savePauses } from './pauses.ts'
import type { Parts, SinkPart } from './pipeline.ts'
import { replayLetters, skipLetters } from './replay.ts'

export interface Operated {
  readonly parts: Parts
  readonly log: EmbeddedLog
  /** The data directory. */
  readonly directory: string
}

export type Operation = Extract<Question, { readonly ask: 'sink' | 'letters' | 'mend' }>

/** What an operator has done to the sinks of a running pipeline: a line for each thing done. */
export async function* operate(
  operated: Operated,
  asked: Operation,
  signal: AbortSignal,
): AsyncGenerator<unknown> {
  const { parts, log } = operated
  if (asked.ask === 'sink') yield* control(operated, asked)
  else if (asked.ask === 'mend') {
    const part = sinkNamed(parts, asked.part)[0]!
    yield* mend({ part, log }, asked.items, signal)
  } else if (asked.do === 'skip') yield* skipLetters(log, asked.ids)
  else yield* replayLetters({ parts, log }, asked.ids, signal)
}

/** Sinks that were paused before this start are paused from the start. */
export function keepPaused({ sinks }: Parts, directory: string): void {
  const pauses = readPauses(directory)
  for (const { name, gate } of sinks) {
    const since = pauses.get(name)
    if (since !== undefined) gate.pause(since)
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
  { log, directory }: Operated,
  part: SinkPart,
  asked: Extract<Operation, { readonly ask: 'sink' }>,
): Promise<string> {
  if (asked.do === 'pause') return pause(part, directory)
  if (asked.do === 'resume') return resume(part, directory)
  if (asked.do === 'refill') return refill(part)
  return rewind(part, log, asked.to)
}

/** Written down first: what is paused stays paused, whatever happens. */
function pause({ name, gate }: SinkPart, directory: string): string {
  if (gate.pausedSince !== null) return `is paused already, since ${gate.pausedSince}`
  const since = new Date().toISOString()
  savePauses(directory, new Map(readPauses(directory)).set(name, since))
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
  const pauses = new Map(readPauses(directory))
  pauses.delete(name)
  savePauses(directory, pauses)
  gate.open()
  return 'goes on from where it was'
}

async function refill({ gate }: SinkPart): Promise<string> {
  await gate.order(async ({ sink, source }) => {
    await sink.resume(source.name)
    await sink.clear(source.name)
  })
  return `is emptied, and filled from the beginning${stillPaused(gate)}`
}

async function rewind(
  { gate, topics }: SinkPart,
  log: EmbeddedLog,
  to: number | undefined,
): Promise<string> {
  const position =
    to === undefined ? positionOfBeginning(log) : await positionSince(log, topics, to)
  if (position === undefined) {
    throw new CommandFailure(`no record of ${topics.join(', ')} is as new as that`)
  }
  await gate.order(async ({ sink, source }) => {
    await sink.resume(source.name)
    await sink.commit({ source: source.name, position, timestamp: to ?? 0 })
  })
  const where = to === undefined ? 'the beginning' : new Date(to).toISOString()
  return `goes on from ${where}; what it holds stays, as no older version replaces a newer one${stillPaused(gate)}`
}

function stillPaused({ pausedSince }: SinkPart['gate']): string {
  return pausedSince === null ? '' : ', once it is resumed'
}
