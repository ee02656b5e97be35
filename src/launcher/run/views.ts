import { pathToFileURL } from 'node:url'
import { MillraceError } from '../../core/errors.ts'
import type { Branch } from '../../streams/declared/branch.ts'
import { declaredView } from '../../streams/declared/declared-view.ts'
import { StreamTopology, type TopologyDefinition } from '../../streams/stream-topology.ts'
import { Topology } from '../../streams/topology.ts'
import { tableView, type ViewDefinition } from '../../streams/view.ts'
import type { Config, SinkConfig, ViewConfig, ViewModule } from '../config/config.ts'
import type { Fault } from '../config/fault.ts'
import { didYouMean } from '../config/nearest.ts'
import { columnFaults } from './columns.ts'
import { isTopology, streamFaults } from './streams.ts'

export type LoadedViews =
  | { readonly ok: true; readonly topology: Topology; readonly streams: readonly StreamTopology[] }
  | { readonly ok: false; readonly faults: readonly Fault[] }

/** Loads the modules of all views, and works out what they read. All faults are found at once. */
export async function loadViews(config: Config): Promise<LoadedViews> {
  const { faults, definitions, streams } = await load(config.views)
  if (faults.length > 0) return { ok: false, faults }
  for (const topic of materialised(config.sinks)) definitions[tableName(topic)] = tableView(topic)
  return open(config, definitions, () => {
    return streams.map(({ name, definition }) => new StreamTopology(name, definition))
  })
}

/** The views of a pipeline as they were defined once, if their modules still say the same. */
export async function loadTopology(
  pipeline: string,
  views: readonly ViewConfig[],
  tables: readonly string[],
): Promise<Topology> {
  const { definitions } = await load(views)
  for (const topic of tables) definitions[tableName(topic)] = tableView(topic)
  return new Topology(pipeline, definitions)
}

async function load(views: readonly ViewConfig[]) {
  const faults: Fault[] = []
  const definitions: Record<string, ViewDefinition> = {}
  const streams: { readonly name: string; readonly definition: TopologyDefinition }[] = []
  for (const view of views) {
    const found = 'root' in view ? declaredView(view.root) : await loadModule(view)
    if (typeof found === 'string') faults.push({ ...view.place, what: found })
    else if (isTopology(found)) streams.push({ name: view.name, definition: found })
    else definitions[view.name] = found
  }
  return { faults, definitions, streams }
}

/** The name of the view that keeps a topic as a table. No view of a user has a dot in its name. */
export function tableName(topic: string): string {
  return `table.${topic}`
}

export function isTable(view: string): boolean {
  return view.startsWith('table.')
}

/**
 * Sinks that keep documents read tables, one full row for each key and commit. A file keeps
 * records, and reads the topic as it is.
 */
export function readsTable({ plugin }: SinkConfig): boolean {
  return plugin.type !== 'file'
}

/** The topics that are kept as tables for sinks. */
export function materialised(sinks: readonly SinkConfig[]): ReadonlySet<string> {
  const topics = sinks
    .filter(readsTable)
    .flatMap(({ from }) => from.flatMap((each) => (each.kind === 'topic' ? [each.topic] : [])))
  return new Set(topics)
}

function open(
  config: Config,
  definitions: Record<string, ViewDefinition>,
  openStreams: () => readonly StreamTopology[],
): LoadedViews {
  try {
    const topology = new Topology(config.name, definitions)
    const streams = openStreams()
    const faults = [
      ...unknownTopics(config, topology, streams),
      ...streamFaults(config, streams),
      ...columnFaults(config, new Map()),
    ]
    return faults.length > 0 ? { ok: false, faults } : { ok: true, topology, streams }
  } catch (error) {
    if (!(error instanceof MillraceError)) throw error
    const place = config.views.find(({ name }) => error.message.includes(name))?.place
    if (place === undefined) throw error
    return { ok: false, faults: [{ ...place, what: error.message }] }
  }
}

function unknownTopics(
  { topics, views }: Config,
  topology: Topology,
  streams: readonly StreamTopology[],
): readonly Fault[] {
  const place = views[0]?.place
  if (topics === undefined || place === undefined) return []
  if (streams.some(({ hasOpenOutputs }) => hasOpenOutputs)) return []
  const written = [...topics, ...streams.flatMap(({ outputs }) => outputs)]
  const unknown = topology.topics.filter((topic) => !written.includes(topic))
  return unknown.map((topic) => ({
    ...(views.find((view) => 'root' in view && reads(view.root, topic))?.place ?? {
      ...place,
      path: 'views',
    }),
    what: `no connector writes the topic ${topic}${didYouMean(topic, topics)}`,
  }))
}

function reads({ from, one, many }: Branch, topic: string): boolean {
  if ('topic' in from && from.topic === topic) return true
  return [...one, ...many].some(({ branch }) => reads(branch, topic))
}

/** The definition, or what is wrong with it. */
async function loadModule(view: ViewModule): Promise<Definition | string> {
  let module: Readonly<Record<string, unknown>>
  try {
    module = await import(pathToFileURL(view.module).href)
  } catch (error) {
    return `cannot be loaded from ${view.module}: ${(error as Error).message}`
  }
  const names = Object.keys(module).filter((name) => isDefinition(module[name]))
  const only = names.length === 1 && view.export === undefined ? names[0] : undefined
  const wanted = view.export ?? (names.includes(view.name) ? view.name : (only ?? view.name))
  const found = module[wanted]
  if (isDefinition(found)) return found
  const written = JSON.stringify(wanted)
  if (found !== undefined) {
    return `the export ${written} is not a view: make it with defineView or defineTopology`
  }
  return `${view.module} exports no view ${written}${didYouMean(wanted, names)}`
}

type Definition = ViewDefinition | TopologyDefinition

function isDefinition(value: unknown): value is Definition {
  if (isTopology(value)) return true
  return (
    typeof value === 'object' && value !== null && typeof value['define' as never] === 'function'
  )
}
