import type { StreamTopology } from '../../streams/stream-topology.ts'
import type { Topology } from '../../streams/topology.ts'
import type { Config } from '../config/config.ts'
import type { TopicRules } from '../config/topic-rules.ts'
import { policyOfConfig } from '../run/cleaning.ts'
import { type Deployment, describeDeployment } from '../run/deployment.ts'
import { keptOnKafka } from '../run/kafka-topics.ts'
import { groupOf } from '../run/parts.ts'
import { spareOf } from '../run/upgrade.ts'
import type { TopicDifferences } from './topic-differences.ts'
import { showPolicy } from './topic-report.ts'
import { viewsGroup } from './view-state.ts'

/** One thing that a start with a configuration would change, or finds other than configured. */
export interface Change {
  readonly kind: 'connector' | 'view' | 'topology' | 'sink' | 'topic' | 'group'
  readonly name: string
  readonly change: 'new' | 'changed' | 'removed' | 'differs'
  /** What follows from it. */
  readonly what: string
}

export interface Planned {
  readonly config: Config
  readonly topology: Topology
  /** Topologies of streams. */
  readonly streams: readonly StreamTopology[]
  /** What ran last on the data directory. */
  readonly last: Deployment | undefined
  /** The topics that there are, and the groups of their readers. */
  readonly topics: readonly string[]
  readonly groups: readonly string[]
  /** In what topics on Kafka differ from the configuration. */
  readonly differences: readonly TopicDifferences[]
  /** Hash of the definition that a task's state was made by, by its group; empty if none. */
  readonly builtBy: (group: string) => string
}

/** Everything that a start would change. Touches nothing. */
export function planChanges(planned: Planned): readonly Change[] {
  const { config, last } = planned
  const next = describeDeployment(config, planned, last?.salt)
  return [
    ...partChanges('connector', last?.connectors ?? {}, next.connectors),
    ...viewChanges(planned, next),
    ...topologyChanges(planned, next),
    ...partChanges('sink', last?.sinks ?? {}, next.sinks),
    ...topicChanges(planned),
    ...topicsApart(planned),
    ...groupChanges(planned),
  ]
}

type PartsOf = Deployment['sinks']

const consequences = {
  connector: {
    new: 'begins with its snapshot',
    changed: 'goes on from its position with other options',
    removed:
      'reads no more; its topics stay, and so does its slot at the server, which keeps WAL until it is dropped',
  },
  sink: {
    new: 'is filled from the beginning of what it reads',
    changed: 'goes on from its checkpoint; it is filled anew if the options change what it writes',
    removed: 'writes no more; what it has written stays in the target',
  },
} as const

function* partChanges(kind: 'connector' | 'sink', last: PartsOf, next: PartsOf): Generator<Change> {
  const what = consequences[kind]
  for (const [name, { type, digest }] of Object.entries(next)) {
    const before = last[name]
    if (before === undefined) yield { kind, name, change: 'new', what: what.new }
    else if (before.type !== type) {
      const changed = `is of type ${type} instead of ${before.type}: ${what.new}`
      yield { kind, name, change: 'changed', what: changed }
    } else if (before.digest !== digest) yield { kind, name, change: 'changed', what: what.changed }
  }
  for (const name of Object.keys(last)) {
    if (next[name] === undefined) yield { kind, name, change: 'removed', what: what.removed }
  }
}

/** All views are one task: one that changes has all of them built anew. */
function* viewChanges(
  { config, topology, last, builtBy: builtByOf }: Planned,
  next: Deployment,
): Generator<Change> {
  const before = last?.views ?? {}
  const builtBy = builtByOf(viewsGroup(config.name))
  const isRebuilt = builtBy !== '' && builtBy !== topology.hash
  const isKept = builtByOf(spareOf(viewsGroup(config.name))) === topology.hash
  const how = isKept ? 'go back to the state that was kept' : 'are built anew from the log'
  const rebuilt = isRebuilt ? `all views ${how}; only differences are told` : ''
  let isNamed = false
  for (const [name, digest] of Object.entries(next.views)) {
    if (before[name] === digest) continue
    isNamed = true
    const change = before[name] === undefined ? 'new' : 'changed'
    yield { kind: 'view', name, change, what: rebuilt || 'is built from the log' }
  }
  for (const name of Object.keys(before)) {
    if (next.views[name] !== undefined) continue
    isNamed = true
    yield { kind: 'view', name, change: 'removed', what: 'is kept no more; its topic stays' }
  }
  if (isRebuilt && !isNamed) yield { kind: 'view', name: '*', change: 'changed', what: rebuilt }
}

/** Each is a task of its own. Only another definition has its state made anew. */
function* topologyChanges(
  { config, streams, last, builtBy }: Planned,
  next: Deployment,
): Generator<Change> {
  const before = last?.topologies ?? {}
  for (const { name, hash } of streams) {
    const state = builtBy(`${config.name}.${name}`)
    const isRebuilt = state !== '' && state !== hash
    if (before[name] === next.topologies[name] && !isRebuilt) continue
    const change = before[name] === undefined ? 'new' : 'changed'
    yield { kind: 'topology', name, change, what: topologyFuture(state, hash) }
  }
  for (const name of Object.keys(before)) {
    if (next.topologies[name] !== undefined) continue
    const what = 'reads and writes no more; its state and its topics stay'
    yield { kind: 'topology', name, change: 'removed', what }
  }
}

function topologyFuture(state: string, hash: string): string {
  if (state === '') return 'is built from the log'
  if (state === hash) return 'goes on from where it has come to'
  return 'begins anew from the log; all is told again with new versions, and keys that no longer occur stay in its topics'
}

function* topicChanges(planned: Planned): Generator<Change> {
  const { config, topology, streams, last, topics } = planned
  const known = new Set(topics)
  const policyOf = policyIn(planned)
  const written = [
    ...(config.topics ?? []),
    ...topology.views.map(({ topic }) => topic),
    ...streams.flatMap(({ outputs }) => outputs),
  ]
  for (const topic of new Set(written)) {
    if (known.has(topic) || config.inputs?.includes(topic)) continue
    const what = `is made once something is written to it; cleanup: ${showPolicy(policyOf(topic))}`
    yield { kind: 'topic', name: topic, change: 'new', what }
  }
  if (last === undefined || config.log.type === 'kafka') return
  const before = policyOfConfig({ ...config, topicRules: last.topics as TopicRules }, topology)
  for (const topic of known) {
    const [was, is] = [showPolicy(before(topic)), showPolicy(policyOf(topic))]
    if (was === is) continue
    yield { kind: 'topic', name: topic, change: 'changed', what: `cleanup: ${is}, was ${was}` }
  }
}

function policyIn({ config, topology }: Planned) {
  const isKafka = config.log.type === 'kafka'
  return isKafka ? keptOnKafka(config, topology) : policyOfConfig(config, topology)
}

function* topicsApart({ differences }: Planned): Generator<Change> {
  for (const { topic, differences: apart } of differences) {
    if (apart.length === 0) continue
    const what = `${apart.join('; ')}: it is left as it is, and changed by Kafka's own tools`
    yield { kind: 'topic', name: topic, change: 'differs', what }
  }
}

/** Whoever reads no more holds nothing up for long. */
function* groupChanges({ config, topology, groups }: Planned): Generator<Change> {
  const named = new Set([
    ...(topology.views.length > 0
      ? [viewsGroup(config.name), spareOf(viewsGroup(config.name))]
      : []),
    ...config.views.map(({ name }) => `${config.name}.${name}`),
    ...config.sinks.flatMap((sink) => sink.from.map((from) => groupOf(config.name, sink, from))),
  ])
  const what =
    config.log.type === 'kafka'
      ? 'reads no more; the cluster forgets its offsets after offsets.retention.minutes'
      : 'holds up retention no more once it has not been seen for seven days'
  for (const name of groups) {
    if (!named.has(name)) yield { kind: 'group', name, change: 'removed', what }
  }
}

const signs = { new: '+', changed: '~', removed: '-', differs: '!' } as const

/** A line for each change: `+ sink search: is filled from the beginning of what it reads`. */
export function showPlan(changes: readonly Change[]): string {
  if (changes.length === 0) return 'nothing changes'
  const lines = changes.map(({ kind, name, change, what }) => {
    return `${signs[change]} ${kind} ${name}: ${what}`
  })
  const count = (which: Change['change']) => changes.filter(({ change }) => change === which).length
  return [
    ...lines,
    '',
    `${count('new')} new, ${count('changed')} changed, ${count('removed')} removed` +
      (count('differs') === 0 ? '' : `, ${count('differs')} differ`),
  ].join('\n')
}
