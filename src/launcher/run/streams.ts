import { type Log, partitionsToRead, type Task } from '../../core/log.ts'
import { Meter } from '../../core/meter.ts'
import { supervise } from '../../core/supervise.ts'
import { version } from '../../core/version.ts'
import { hopsTopic } from '../../streams/hops.ts'
import type { CacheRoom } from '../../streams/state-cache.ts'
import { StreamTask } from '../../streams/stream-task.ts'
import type { StreamTopology, TopologyDefinition } from '../../streams/stream-topology.ts'
import { ticksTopic } from '../../streams/tick.ts'
import { Ticker } from '../../streams/ticker.ts'
import type { Config } from '../config/config.ts'
import type { Fault } from '../config/fault.ts'
import { didYouMean } from '../config/nearest.ts'
import type { ConnectorPart, StreamPart } from './pipeline.ts'
import { Progress } from './progress.ts'

/** Whether a module's export was made with `defineTopology`. */
export function isTopology(value: unknown): value is TopologyDefinition {
  return (
    typeof value === 'object' && value !== null && typeof value['build' as never] === 'function'
  )
}

export interface StreamsOptions {
  readonly log: Log
  readonly connectors: readonly ConnectorPart[]
  readonly caches: CacheRoom
  readonly say: (name: string, line: string) => void
}

/** A topology is a task of its own: it begins anew, fails and falls behind by itself. */
export function openStreams(
  config: Config,
  topologies: readonly StreamTopology[],
  options: StreamsOptions,
): readonly StreamPart[] {
  return topologies.map((topology) => openStream(config, topology, options))
}

function openStream(
  { name: pipeline, log: { kafka } }: Config,
  topology: StreamTopology,
  { log, connectors, caches, say }: StreamsOptions,
): StreamPart {
  const { name } = topology
  const tasks = kafka === undefined ? 1 : (topology.options.partitions ?? 1)
  const group = groupOf(pipeline, name, tasks)
  const ticks = ticksTopic(pipeline, name)
  const own = tasks > 1 ? [ticks, hopsTopic(pipeline, topology)] : [ticks]
  const topics = [...topology.topics.keys(), ...own]
  const everywhere = [...topology.globalTopics, ticks]
  const progress = new Progress()
  const running = new Map<number, StreamTask>()
  const onRebuild = () =>
    say(name, 'its definition has changed, or it was reset: begins anew from the log')
  const part: StreamPart = {
    ...{ name, topics, group, progress, topology, meter: new Meter() },
    spread: { tasks, everywhere, task: group },
    open: (task: Task, number) => {
      const part = tasks > 1 ? number : undefined
      const opened = new StreamTask({
        ...{ topology, pipeline, task, part, caches, release: version, onRebuild },
      })
      running.set(number, opened)
      return opened
    },
    beside: (number, signal) => {
      const isRunning = () => part.meter.state === 'running' || part.meter.state === 'starting'
      const writer = log.writer(number === 0 ? `${group}.ticks` : `${group}.ticks.${number}`)
      const ticker = new Ticker({
        ...{ topic: ticks, writer, number, idleMs: topology.options.idleMs },
        task: () => (isRunning() ? running.get(number) : undefined),
        isCaughtUp: async () =>
          areIdle(connectors, kafka !== undefined) && (await hasReadAll(log, part, number)),
      })
      return supervise((signal) => ticker.run(signal), new Meter(), signal)
    },
  }
  return part
}

/** With another number of tasks the keys lie elsewhere: all begin anew, under another name. */
function groupOf(pipeline: string, topology: string, tasks: number): string {
  return tasks === 1 ? `${pipeline}.${topology}` : `${pipeline}.${topology}.${tasks}`
}

/** An idle server still writes some WAL of its own: less than this is no backlog of changes. */
const idleBytes = 1024 * 1024

/**
 * Nothing that was committed before now waits in a source. Where several instances share the log,
 * a connector may run in another one: then what the topics hold is all that is known.
 */
function areIdle(connectors: readonly ConnectorPart[], isShared: boolean): boolean {
  return connectors.every(({ connector }) => {
    const { phase, retainedBytes } = connector.status()
    if (isShared && phase === 'connecting') return true
    return phase === 'streaming' && retainedBytes !== null && retainedBytes < idleBytes
  })
}

/** Nothing is left for a task; what partitions of others hold is theirs. */
async function hasReadAll(
  log: Log,
  { topics, progress, spread }: StreamPart,
  partition: number,
): Promise<boolean> {
  const info = await log.describe()
  const nothing = { start: 0n, end: 0n }
  const own = info.topics.map((each) => {
    const read = partitionsToRead(each.topic, each.partitions.length, { partition, spread })
    const partitions = each.partitions.map((one, number) => (read.includes(number) ? one : nothing))
    return { ...each, partitions }
  })
  return progress.lag({ ...info, topics: own }, topics).records === 0
}

/** Views and connectors keep their positions under their names, as a topology does. */
function takenBy(connectors: Config['connectors'], topology: string): boolean {
  return topology === 'views' || connectors.some(({ name }) => name === topology)
}

/** What topologies and sinks name that nobody writes, and names that they cannot have. */
export function streamFaults(
  { name: pipeline, topics, connectors, views, sinks }: Config,
  topologies: readonly StreamTopology[],
): readonly Fault[] {
  const faults: Fault[] = []
  const outputs = topologies.flatMap((topology) => topology.outputs)
  const ofViews = views.map(({ name }) => `${pipeline}.${name}`)
  const isOpen = topics === undefined || topologies.some(({ hasOpenOutputs }) => hasOpenOutputs)
  const known = [...(topics ?? []), ...ofViews, ...outputs]
  const unknown = (topic: string) => !isOpen && !known.includes(topic)
  for (const topology of topologies) {
    const { place } = views.find(({ name }) => name === topology.name)!
    if (takenBy(connectors, topology.name)) {
      const what = 'is a topology of streams, and cannot have the name of a connector, or `views`'
      faults.push({ ...place, what })
    }
    for (const topic of [...topology.topics.keys()].filter(unknown)) {
      faults.push({ ...place, what: `nobody writes the topic ${topic}${didYouMean(topic, known)}` })
    }
  }
  for (const from of sinks.flatMap((sink) => sink.from)) {
    if (from.kind !== 'topic' || from.unchecked === undefined || !unknown(from.topic)) continue
    const names = [...views.map(({ name }) => name), ...known]
    const what = `there is no view or topic ${JSON.stringify(from.topic)}${didYouMean(from.topic, names)}`
    faults.push({ ...from.unchecked, what })
  }
  return faults
}
