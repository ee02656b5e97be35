import { existsSync } from 'node:fs'
import type { ConnectorPlugin, SinkPlugin } from '../../core/plugin.ts'
import type { From, SinkConfig, ViewConfig } from './config.ts'
import type { Draft } from './draft.ts'
import type { Path } from './fault.ts'
import { didYouMean } from './nearest.ts'
import type { PartOptions } from './part-options.ts'

export interface Found {
  readonly name: string
  readonly connectors: readonly PartOptions<ConnectorPlugin<unknown>>[]
  readonly views: readonly ViewConfig[]
  readonly sinks: readonly PartOptions<SinkPlugin<unknown>>[]
  /** Topics that others write. */
  readonly inputs: readonly string[]
}

export interface Linked {
  readonly sinks: readonly SinkConfig[]
  readonly topics: readonly string[] | undefined
}

/** Checks what no part can know by itself, and finds what each sink reads. */
export function crossCheck(draft: Draft, found: Found): Linked {
  checkModules(draft, found.views)
  checkPrefixes(draft, found)
  const topics = writtenTopics(draft, found)
  const sinks = found.sinks.map(({ name, plugin, options, from }) => ({
    name,
    plugin,
    options,
    from: from.flatMap((each, i) => {
      const written = Array.isArray(draft.at(['sinks', name, 'from'])) ? [i] : []
      return findTopic(draft, ['sinks', name, 'from', ...written], each, { found, topics })
    }),
  }))
  checkOwners(draft, sinks)
  return { sinks, topics }
}

/** What one topic is written to must not be written by another: their checkpoints would fight. */
function checkOwners(draft: Draft, sinks: readonly SinkConfig[]): void {
  const owners = new Map<string, string>()
  for (const { name, plugin, options, from } of sinks) {
    for (const { topic } of from) {
      const owned = plugin.owns?.(options, { topic })
      if (owned === undefined) continue
      const owner = owners.get(owned)
      const here = `${topic} by ${name}`
      if (owner === undefined) owners.set(owned, here)
      else draft.report(['sinks', name, 'from'], fightingOver(owned, owner, here))
    }
  }
}

function fightingOver(owned: string, owner: string, other: string): string {
  const fix = owned.startsWith('the file')
    ? 'put {topic} into the path, or make a sink for each'
    : 'leave `table` to its default, or make a sink for each'
  return `would write both ${owner} and ${other} to ${owned}: ${fix}`
}

function checkPrefixes(draft: Draft, { connectors }: Found): void {
  const owners = new Map<string, string>()
  for (const { name, options } of connectors) {
    const prefix = (options as Prefixed)['topic.prefix'] ?? name
    const owner = owners.get(prefix)
    if (owner !== undefined) {
      const what = `has the same topic prefix as ${owner}, ${prefix}: set another \`topic.prefix\``
      draft.report(['connectors', name], what, 'name')
    }
    owners.set(prefix, name)
  }
}

/** What the options of connectors have in common, if they have it. */
interface Prefixed {
  readonly 'topic.prefix'?: string
  readonly tables?: readonly string[]
  readonly outbox?: { readonly 'route.topic.replacement': string }
}

/** The topics that connectors and others write; undefined if one is faulty, or names patterns. */
function writtenTopics(
  draft: Draft,
  { name, connectors, inputs }: Found,
): readonly string[] | undefined {
  const isOpen = connectors.some(({ options }) => {
    const { tables, outbox } = options as Prefixed
    return outbox !== undefined || tables?.some((table) => table.includes('*'))
  })
  const owners = new Map<string, string>()
  for (const { plugin, options, name: connector } of connectors) {
    try {
      const context = { pipeline: name, name: connector, say: () => {} }
      const { outbox } = options as Prefixed
      const topics = new Set(plugin.open(options, context).topics)
      if (outbox !== undefined) topics.add(outbox['route.topic.replacement'])
      for (const topic of topics) claim(draft, owners, { topic, connector })
    } catch (error) {
      draft.report(['connectors', connector], (error as Error).message, 'name')
    }
  }
  return isOpen || connectors.length < draft.names(['connectors']).length
    ? undefined
    : [...owners.keys(), ...inputs]
}

/** A topic has one writer: versions of two would mean nothing to each other. */
function claim(
  draft: Draft,
  owners: Map<string, string>,
  { topic, connector }: { readonly topic: string; readonly connector: string },
): void {
  const owner = owners.get(topic)
  if (owner !== undefined) {
    const what = `writes to the topic ${topic}, as ${owner} does: give it a topic of its own`
    draft.report(['connectors', connector], what, 'name')
  }
  owners.set(topic, connector)
}

function checkModules(draft: Draft, views: readonly ViewConfig[]): void {
  for (const view of views) {
    if (!('module' in view) || existsSync(view.module)) continue
    draft.report(['views', view.name, 'module'], `there is no file ${view.module}`)
  }
}

function findTopic(
  draft: Draft,
  path: Path,
  from: string,
  { found, topics }: { readonly found: Found; readonly topics: readonly string[] | undefined },
): readonly From[] {
  const views = draft.names(['views'])
  const view = views.find((name) => name === from || `${found.name}.${name}` === from)
  if (view !== undefined) return [{ kind: 'view', view, topic: `${found.name}.${view}` }]
  const base = from.replace(/\.dlq$/, '')
  const isView = views.some((name) => `${found.name}.${name}` === base)
  if (topics === undefined || topics.includes(base) || isView)
    return [{ kind: 'topic', topic: from }]
  if (found.views.some((each) => 'module' in each)) {
    return [{ kind: 'topic', topic: from, unchecked: draft.place(path) }]
  }
  const hint = didYouMean(from, [...views, ...topics])
  draft.report(path, `there is no view or topic ${JSON.stringify(from)}${hint}`)
  return []
}
