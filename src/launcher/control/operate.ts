import type { EmbeddedLog } from '../../log/embedded.ts'
import { didYouMean } from '../config/nearest.ts'
import { CommandFailure } from '../exit.ts'
import type { Parts, SinkPart } from '../run/pipeline.ts'
import type { Reindexes } from '../run/reindexes.ts'
import type { Question } from './control.ts'
import { mend } from './mend.ts'
import { readPauses, savePause } from './pauses.ts'
import { replayLetters, skipLetters } from './replay.ts'
import { positionFor, type RewindTo } from './rewind.ts'

export interface Operated {
  readonly parts: Parts
  /** Undefined where it is on Kafka, where sinks can be controlled, but not rewound. */
  readonly log: EmbeddedLog | undefined
  /** The data directory. */
  readonly directory: string
  readonly reindexes: Reindexes | undefined
}

export type Operation = Extract<Question, { readonly ask: 'sink' | 'letters' | 'mend' | 'reindex' }>

/** What an operator has done to the sinks of a running pipeline: a line for each thing done. */
export async function* operate(
  operated: Operated,
  asked: Operation,
  signal: AbortSignal,
): AsyncGenerator<unknown> {
  const { parts, log } = operated
  if (asked.ask === 'sink') yield* control(operated, asked)
  else if (asked.ask === 'reindex') yield await reindex(operated, asked)
  else if (asked.ask === 'mend') {
    const part = sinkNamed(parts, asked.part)[0]!
    yield* mend({ part, log: embedded(log) }, asked.items, signal)
  } else if (asked.do === 'skip') yield* skipLetters(embedded(log), asked.ids)
  else yield* replayLetters({ parts, log: embedded(log) }, asked.ids, signal)
}

function embedded<T>(part: T | undefined): T {
  if (part !== undefined) return part
  throw new CommandFailure('that needs the embedded log, and the log of this pipeline is on Kafka')
}

async function reindex(
  { parts, log: found, reindexes: running }: Operated,
  { part: name, do: order }: Extract<Operation, { readonly ask: 'reindex' }>,
): Promise<unknown> {
  const [log, reindexes] = [embedded(found), embedded(running)]
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
  { log, directory }: Operated,
  part: SinkPart,
  asked: Extract<Operation, { readonly ask: 'sink' }>,
): Promise<string> {
  if (asked.do === 'pause') return pause(part, directory)
  if (asked.do === 'resume') return resume(part, directory)
  if (asked.do === 'refill') return refill(part)
  return rewind(part, embedded(log), asked.to)
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
  to: RewindTo = 'beginning',
): Promise<string> {
  const position = await positionFor(log, topics, to)
  const timestamp = typeof to === 'object' && 'time' in to ? to.time : 0
  await gate.order(async ({ sink, source }) => {
    await sink.resume(source.name)
    await sink.commit({ source: source.name, position, timestamp })
  })
  if (to === 'end')
    return `goes on from the end; what it had not read is left out${stillPaused(gate)}`
  return `goes on from ${placeName(to)}; what it holds stays, as no older version replaces a newer one${stillPaused(gate)}`
}

function placeName(to: RewindTo): string {
  if (typeof to === 'string') return `the ${to}`
  return 'time' in to ? new Date(to.time).toISOString() : `sequence ${to.sequence}`
}

function stillPaused({ pausedSince }: SinkPart['gate']): string {
  return pausedSince === null ? '' : ', once it is resumed'
}
