import type { Position } from '../../core/source.ts'
import type { Destination, Inspection } from '../../log/inspection.ts'
import { didYouMean } from '../config/nearest.ts'
import { type Registry, registry } from '../config/registry.ts'
import type { Named } from '../control/data-directory.ts'
import { placesFor } from '../control/rewind.ts'
import { CommandFailure, type ExitCode, exitCodes } from '../exit.ts'
import {
  type InspectedPipeline,
  inspectLog,
  inspectPipeline,
  loadPipeline,
} from '../inspect/inspect-log.ts'
import { showCount } from '../inspect/status-text.ts'
import { columns, type GroupReport, groupReport } from '../inspect/topic-report.ts'
import { outdateState, viewsGroup } from '../inspect/view-state.ts'
import { openLog } from '../run/opened-log.ts'
import { groupOf, partName, topicToRead } from '../run/parts.ts'
import { openTerminal } from '../terminal.ts'
import { sinkCommand } from './sinks.ts'

export interface OffsetsOptions extends Named {
  readonly json?: boolean | undefined
  readonly registry?: Registry
}

interface WriterReport {
  readonly writer: string
  readonly position: string
  /** Time of the newest record before the position, in ISO 8601; null if unknown. */
  readonly time: string | null
}

/** `millrace offsets show`: how far everybody has come who writes to the log, or reads from it. */
export async function showOffsets(options: OffsetsOptions): Promise<ExitCode> {
  const log = await inspectLog(options, options.registry)
  const terminal = openTerminal()
  try {
    const groups = (await log.groups()).map(groupReport)
    const writers = await writerReports(log)
    if (options.json) {
      await terminal.print(JSON.stringify({ v: 1, head: await log.head(), groups, writers }))
    } else await terminal.print(show(groups, writers))
    return exitCodes.ok
  } finally {
    await log.close()
  }
}

export interface RewindOptions {
  readonly to: Destination
  readonly dryRun?: boolean | undefined
  readonly registry?: Registry
}

/** `millrace offsets rewind FILE NAME`: a sink, while it runs, or the views, while nothing runs. */
export async function rewindOffsets(
  file: string,
  name: string,
  { to, dryRun = false, registry: known = registry }: RewindOptions,
): Promise<ExitCode> {
  const pipeline = await loadPipeline(file, known)
  if (name === 'views') return rewindViews(pipeline, to, dryRun)
  const readers = readersOf(pipeline, name)
  const log = await inspectPipeline(pipeline)
  try {
    for (const reader of readers) await tellRewind(log, reader, to)
  } finally {
    await log.close()
  }
  if (dryRun) return exitCodes.ok
  return sinkCommand(file, name, { do: 'rewind', to })
}

async function rewindViews(
  { config, topology }: InspectedPipeline,
  to: Destination,
  dryRun: boolean,
): Promise<ExitCode> {
  if (to !== 'beginning') throw new CommandFailure('views can begin anew only: --to-beginning')
  const what = 'all views are built anew from the log at the next start'
  const isDone =
    dryRun || (await outdateState(config, viewsGroup(config.name), topology.keptStates))
  await openTerminal().print(`views: ${isDone ? what : 'have not begun yet'}`)
  return exitCodes.ok
}

interface Reader {
  readonly part: string
  readonly topic: string
  readonly group: string
}

async function tellRewind(
  log: Inspection,
  { part, topic, group }: Reader,
  to: Destination,
): Promise<void> {
  const places = await placesFor(log, [topic], to)
  const facts = (await log.groups()).find((each) => each.group === group)
  for (const [partition, { place, records }] of places) {
    const at = facts?.partitions?.find((each) => each.partition === partition)?.next
    const now = facts?.partitions ? `offset ${at ?? 0}` : `sequence ${facts?.sequence ?? 0}`
    const where = places.size > 1 ? `${topic}/${partition}` : topic
    const there = `which has ${showCount(records)} records from there on`
    await openTerminal().print(
      `${part}: from ${now} to ${place.replace(/^sequence /, '')} of ${where}, ${there}`,
    )
  }
}

/** `millrace offsets set FILE CONNECTOR POSITION`: while nothing runs. */
export async function setOffset(
  file: string,
  name: string,
  {
    position,
    dryRun = false,
    registry: known = registry,
  }: {
    readonly position: string
    readonly dryRun?: boolean | undefined
    readonly registry?: Registry
  },
): Promise<ExitCode> {
  const pipeline = await loadPipeline(file, known)
  const { config } = pipeline
  const names = config.connectors.map((each) => each.name)
  if (!names.includes(name)) {
    throw new CommandFailure(`there is no connector ${name}${didYouMean(name, names)}`)
  }
  const terminal = openTerminal()
  const { log } = await openLog({ ...pipeline, say: () => {} })
  try {
    const writer = log.writer(`${config.name}.${name}`)
    const before = await writer.resume(name)
    await terminal.print(`${name}: from ${before ?? 'the beginning'} to ${position}`)
    if (dryRun) return exitCodes.ok
    await writer.commit({ source: name, position: position as Position, timestamp: 0 })
    return exitCodes.ok
  } finally {
    await log.close()
  }
}

function readersOf({ config, topology }: InspectedPipeline, name: string): readonly Reader[] {
  const readers = config.sinks.flatMap((sink) =>
    sink.from.map((from) => ({
      part: partName(sink, from),
      topic: topicToRead(sink, from, topology),
      group: groupOf(config.name, sink, from),
    })),
  )
  const found = readers.filter(({ part }) => part === name || part.startsWith(`${name}/`))
  if (found.length > 0) return found
  const names = [...readers.map(({ part }) => part), 'views']
  throw new CommandFailure(`there is no sink ${JSON.stringify(name)}${didYouMean(name, names)}`)
}

async function writerReports(log: Inspection): Promise<readonly WriterReport[]> {
  return (await log.writers()).map(({ writer, position, timestamp }) => ({
    writer,
    position,
    time: timestamp === 0 ? null : new Date(timestamp).toISOString(),
  }))
}

function show(groups: readonly GroupReport[], writers: readonly WriterReport[]): string {
  const sources = writers.map(({ writer, time, position }) => [writer, time ?? '-', position])
  return [
    groups.some(({ partitions }) => partitions !== undefined)
      ? showPartitions(groups)
      : showSequences(groups),
    '',
    columns([['WRITER', 'NEWEST RECORD', 'POSITION'], ...sources]),
  ].join('\n')
}

function showSequences(groups: readonly GroupReport[]): string {
  const readers = groups.map(({ group, sequence, behind, seenAt }) => {
    return [group, String(sequence), showCount(behind), seenAt ?? '-']
  })
  return columns([['READER', 'SEQUENCE', 'COMMITS BEHIND', 'SEEN'], ...readers])
}

function showPartitions(groups: readonly GroupReport[]): string {
  const rows = groups.flatMap(({ group, partitions = [], members = [] }) =>
    partitions.map(({ topic, partition, next, end }) => {
      const behind = showCount(Math.max(0, end - next))
      return [group, topic, String(partition), String(next), behind, members.join(', ') || '-']
    }),
  )
  return columns([['READER', 'TOPIC', 'PARTITION', 'OFFSET', 'OFFSETS BEHIND', 'MEMBERS'], ...rows])
}
