import { existsSync, statSync } from 'node:fs'
import { resolve } from 'node:path'
import type { Log } from '../../core/log.ts'
import { openEmbeddedLog } from '../../log/embedded.ts'
import { inspectDirectory } from '../../log/embedded-inspection.ts'
import type { Inspection, WriterFacts } from '../../log/inspection.ts'
import { didYouMean } from '../config/nearest.ts'
import { type Registry, registry } from '../config/registry.ts'
import { CommandFailure, type ExitCode, exitCodes } from '../exit.ts'
import { copyTopics } from '../inspect/copy-topics.ts'
import { type InspectedPipeline, inspectPipeline, loadPipeline } from '../inspect/inspect-log.ts'
import { showCount } from '../inspect/status-text.ts'
import { holdsLog } from '../inspect/tap.ts'
import { openLog } from '../run/opened-log.ts'
import { openTerminal, type Terminal } from '../terminal.ts'

export interface CopyOptions {
  readonly json?: boolean | undefined
  readonly registry?: Registry
}

/** A log by its configuration, or by its data directory. */
type Side = { readonly pipeline: InspectedPipeline } | { readonly directory: string }

/** `millrace topics copy FROM TO [TOPIC…]`: from one log into another, whichever they are. */
export async function copyTopicsCommand(
  from: string,
  to: string,
  {
    topics: named,
    json,
    registry: known = registry,
  }: CopyOptions & { readonly topics: readonly string[] },
): Promise<ExitCode> {
  const [source, target] = [await sideOf(from, known), await sideOf(to, known)]
  if (pathOf(source) === pathOf(target)) throw new CommandFailure(`${from} and ${to} are the same`)
  const terminal = openTerminal()
  const log = await openSource(source, from)
  try {
    const topics = await choose(log, named, [source, target])
    const copied = await intoTarget(target, async (written, writer) => {
      const before = await log.writers()
      const total = await countOf(log, topics)
      const onProgress = (records: number) =>
        terminal.progress(`${showCount(records)} of about ${showCount(total)} records copied`)
      const counts = await copyTopics({ from: log, to: written, writer, topics, onProgress })
      const positions =
        named.length > 0 ? [] : await copyPositions(log, before, { target, written })
      return { counts, positions }
    })
    await tell(copied, json === true, terminal)
    return exitCodes.ok
  } finally {
    await log.close()
  }
}

async function sideOf(name: string, known: Registry): Promise<Side> {
  const isFile = existsSync(name) && statSync(name).isFile()
  return isFile ? { pipeline: await loadPipeline(name, known) } : { directory: resolve(name) }
}

function pathOf(side: Side): string {
  return 'pipeline' in side ? side.pipeline.config.log.path : side.directory
}

async function openSource(side: Side, name: string): Promise<Inspection> {
  if ('pipeline' in side) return inspectPipeline(side.pipeline)
  if (holdsLog(side.directory)) return inspectDirectory(side.directory)
  throw new CommandFailure(`${name} holds no log`)
}

/** Nothing else may run on the data directory of the log that is written. */
async function intoTarget<T>(
  side: Side,
  work: (log: Log, writer: string) => Promise<T>,
): Promise<T> {
  const isConfigured = 'pipeline' in side
  const log = isConfigured
    ? (await openLog({ ...side.pipeline, say: () => {} })).log
    : await openEmbeddedLog({ path: side.directory })
  try {
    return await work(log, isConfigured ? `${side.pipeline.config.name}.copy` : 'copy')
  } finally {
    await log.close()
  }
}

/**
 * Without names: all topics; or, where a configuration tells which are made from others, those that
 * are not, as they are made anew from what was copied.
 */
async function choose(
  log: Inspection,
  named: readonly string[],
  sides: readonly Side[],
): Promise<readonly string[]> {
  const known = await log.names()
  for (const topic of named) {
    if (known.includes(topic) || (await log.partitions(topic)) > 0) continue
    throw new CommandFailure(`there is no topic ${topic}${didYouMean(topic, known)}`)
  }
  if (named.length > 0) return named
  const pipelines = sides.flatMap((side) => ('pipeline' in side ? [side.pipeline] : []))
  if (pipelines.length === 0) return known
  const derived = new Set(pipelines.flatMap(derivedTopics))
  return known.filter((topic) => {
    const isInternal = topic.startsWith('__millrace.') && !topic.endsWith('.ticks')
    return !isInternal && !topic.endsWith('.dlq') && !derived.has(topic)
  })
}

function derivedTopics({ topology, streams }: InspectedPipeline): readonly string[] {
  const outputs = streams.flatMap(({ outputs }) => outputs)
  return [...topology.views.map(({ topic }) => topic), ...outputs]
}

async function countOf(log: Inspection, topics: readonly string[]): Promise<number> {
  const spans = (await log.topics(topics)).flatMap(({ partitions }) => partitions)
  return spans.reduce((sum, { start, end }) => sum + end - start, 0)
}

/** What became of a connector's position. */
interface CopiedPosition {
  readonly connector: string
  readonly position: 'copied' | 'kept'
  readonly what: string
}

/**
 * Connectors go on where they were if nothing has come since the copy began. A position that the
 * log has already is not overwritten, as its connector has gone on from there.
 */
async function copyPositions(
  log: Inspection,
  before: readonly WriterFacts[],
  { target, written }: { readonly target: Side; readonly written: Log },
): Promise<readonly CopiedPosition[]> {
  if (!('pipeline' in target)) return []
  const { name, connectors } = target.pipeline.config
  const after = new Map((await log.writers()).map(({ writer, position }) => [writer, position]))
  const done: CopiedPosition[] = []
  for (const connector of connectors.map((each) => each.name)) {
    const found = before.find(({ writer }) => writer.slice(writer.indexOf('.') + 1) === connector)
    if (found === undefined) continue
    const isStill = after.get(found.writer) === found.position
    const what = isStill
      ? await setPosition(written, { ...found, writer: `${name}.${connector}` })
      : 'its connector has written meanwhile: stop the pipeline, and copy once more'
    done.push({ connector, position: what === movedOn ? 'copied' : 'kept', what })
  }
  return done
}

const movedOn = 'goes on here from where it was there'

/** What an earlier copy has set may be set anew, as long as the connector has not gone on. */
async function setPosition(
  log: Log,
  { writer, position, timestamp }: WriterFacts,
): Promise<string> {
  const [own, copied] = [log.writer(writer), log.writer(`${writer}.copied`)]
  try {
    const now = await own.resume(writer)
    const last = await copied.resume(writer)
    if (now !== last && now !== position) return 'has a position here already, which is kept'
    const checkpoint = { source: writer, position, timestamp }
    if (last !== position) await copied.commit(checkpoint)
    if (now !== position) await own.commit(checkpoint)
    return movedOn
  } finally {
    await own.close()
    await copied.close()
  }
}

async function tell(
  {
    counts,
    positions,
  }: {
    readonly counts: ReadonlyMap<string, number>
    readonly positions: readonly CopiedPosition[]
  },
  json: boolean,
  terminal: Terminal,
): Promise<void> {
  for (const [topic, records] of counts) {
    const line = `${topic}: ${showCount(records)} records copied`
    await terminal.print(json ? JSON.stringify({ topic, records }) : line)
  }
  for (const each of positions) {
    await terminal.print(json ? JSON.stringify(each) : `${each.connector}: ${each.what}`)
  }
}
