import type { Position } from '../../core/source.ts'
import { openEmbeddedLog } from '../../log/embedded.ts'
import { getJson, json as jsonBytes } from '../../log/environment.ts'
import { decodePosition } from '../../log/position.ts'
import { ReadOnlyLog } from '../../log/read-only.ts'
import { type Config, loadConfig } from '../config/config.ts'
import { showFault } from '../config/fault.ts'
import { didYouMean } from '../config/nearest.ts'
import { type Registry, registry } from '../config/registry.ts'
import { findDataDirectory, type Named } from '../control/data-directory.ts'
import { countFrom, positionFor, type RewindTo } from '../control/rewind.ts'
import { CommandFailure, type ExitCode, exitCodes } from '../exit.ts'
import { showCount } from '../inspect/status-text.ts'
import { columns, type GroupReport, groupReports } from '../inspect/topic-report.ts'
import { outdateState, viewsGroup } from '../inspect/view-state.ts'
import { groupOf, partName, topicToRead } from '../run/parts.ts'
import { loadViews } from '../run/views.ts'
import { openTerminal } from '../terminal.ts'
import { sinkCommand } from './sinks.ts'

export interface OffsetsOptions extends Named {
  readonly json?: boolean | undefined
}

interface WriterReport {
  readonly writer: string
  readonly position: string
  /** Time of the newest record before the position, in ISO 8601; null if unknown. */
  readonly time: string | null
}

/** `millrace offsets show`: how far everybody has come who writes to the log, or reads from it. */
export async function showOffsets(options: OffsetsOptions): Promise<ExitCode> {
  const log = new ReadOnlyLog(findDataDirectory(options, process.env))
  const terminal = openTerminal()
  try {
    const groups = groupReports(log)
    const writers = writerReports(log)
    if (options.json)
      await terminal.print(JSON.stringify({ v: 1, head: log.head, groups, writers }))
    else await terminal.print(show(groups, writers))
    return exitCodes.ok
  } finally {
    await log.close()
  }
}

export interface RewindOptions {
  readonly to: RewindTo
  readonly dryRun?: boolean | undefined
  readonly registry?: Registry
}

/** `millrace offsets rewind FILE NAME`: a sink, while it runs, or the views, while nothing runs. */
export async function rewindOffsets(
  file: string,
  name: string,
  { to, dryRun = false, registry: known = registry }: RewindOptions,
): Promise<ExitCode> {
  const { config, topology } = await load(file, known)
  const terminal = openTerminal()
  if (name === 'views') {
    if (to !== 'beginning') throw new CommandFailure('views can begin anew only: --to-beginning')
    const what = 'all views are built anew from the log at the next start'
    if (dryRun) await terminal.print(`views: ${what}`)
    else await terminal.print(`views: ${await rebuild(config, topology, what)}`)
    return exitCodes.ok
  }
  const readers = readersOf(config, topology, name)
  const log = new ReadOnlyLog(findDataDirectory({ file }, process.env))
  try {
    for (const { part, topic, group } of readers) {
      const position = await positionFor(log, [topic], to)
      const sequence = decodePosition(position)!.sequence
      const records = await countFrom(log, [topic], sequence)
      const now = groupReports(log).find((each) => each.group === group)?.sequence ?? 0
      await terminal.print(
        `${part}: from sequence ${now} to ${sequence} of ${topic}, which has ${showCount(records)} records from there on`,
      )
    }
  } finally {
    await log.close()
  }
  if (dryRun) return exitCodes.ok
  return sinkCommand(file, name, { do: 'rewind', to })
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
  const { config } = await load(file, known)
  const names = config.connectors.map((each) => each.name)
  if (!names.includes(name)) {
    throw new CommandFailure(`there is no connector ${name}${didYouMean(name, names)}`)
  }
  const writer = `${config.name}.${name}`
  const terminal = openTerminal()
  const log = await openEmbeddedLog({ path: findDataDirectory({ file }, process.env) })
  try {
    const before = getJson<{ position: string }>(log.environment.positions, writer)?.position
    await terminal.print(`${name}: from ${before ?? 'the beginning'} to ${position}`)
    if (dryRun) return exitCodes.ok
    const stored = { position: position as Position, timestamp: 0 }
    await log.change(({ positions }) => void positions.put(writer, jsonBytes(stored)))
    return exitCodes.ok
  } finally {
    await log.close()
  }
}

async function load(file: string, known: Registry) {
  const loaded = loadConfig(file, known, process.env)
  if (!loaded.ok) throw new CommandFailure(loaded.faults.map(showFault).join('\n'))
  const views = await loadViews(loaded.config)
  if (!views.ok) throw new CommandFailure(views.faults.map(showFault).join('\n'))
  return { config: loaded.config, topology: views.topology }
}

type Topology = Awaited<ReturnType<typeof load>>['topology']

function readersOf(config: Config, topology: Topology, name: string) {
  const parts = config.sinks.flatMap((sink) =>
    sink.from.map((from) => ({
      part: partName(sink, from),
      topic: topicToRead(sink, from, topology),
      group: groupOf(config.name, sink, from),
    })),
  )
  const found = parts.filter(({ part }) => part === name || part.startsWith(`${name}/`))
  if (found.length > 0) return found
  const names = [...parts.map(({ part }) => part), 'views']
  throw new CommandFailure(`there is no sink ${JSON.stringify(name)}${didYouMean(name, names)}`)
}

async function rebuild(config: Config, topology: Topology, what: string): Promise<string> {
  const log = await openEmbeddedLog({ path: config.log.path })
  try {
    const wasBuilt = await outdateState(log, viewsGroup(config.name), topology.keptStates)
    return wasBuilt ? what : 'have not begun yet'
  } finally {
    await log.close()
  }
}

function writerReports({ environment }: ReadOnlyLog): WriterReport[] {
  return [...environment.positions.getRange()].map(({ key, value }) => {
    const stored = JSON.parse(value.toString()) as { position: string; timestamp: number }
    const { position, timestamp } = stored
    return {
      writer: key,
      position,
      time: timestamp === 0 ? null : new Date(timestamp).toISOString(),
    }
  })
}

function show(groups: readonly GroupReport[], writers: readonly WriterReport[]): string {
  const readers = groups.map(({ group, sequence, behind, seenAt }) => {
    return [group, String(sequence), showCount(behind), seenAt]
  })
  const sources = writers.map(({ writer, time, position }) => [writer, time ?? '-', position])
  return [
    columns([['READER', 'SEQUENCE', 'COMMITS BEHIND', 'SEEN'], ...readers]),
    '',
    columns([['WRITER', 'NEWEST RECORD', 'POSITION'], ...sources]),
  ].join('\n')
}
