import type { Log, Task } from '../../core/log.ts'
import { Meter } from '../../core/meter.ts'
import { version } from '../../core/version.ts'
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
  readonly say: (name: string, line: string) => void
}

/** A topology is a task of its own: it begins anew, fails and falls behind by itself. */
export function openStreams(
  { name: pipeline }: Config,
  topologies: readonly StreamTopology[],
  options: StreamsOptions,
): readonly StreamPart[] {
  return topologies.map((topology) => openStream(pipeline, topology, options))
}

function openStream(
  pipeline: string,
  topology: StreamTopology,
  { log, connectors, say }: StreamsOptions,
): StreamPart {
  const { name } = topology
  const group = `${pipeline}.${name}`
  const ticks = ticksTopic(pipeline, name)
  const topics = [...topology.topics.keys(), ticks]
  const progress = new Progress()
  let running: StreamTask | undefined
  const onRebuild = () =>
    say(name, 'its definition has changed, or it was reset: begins anew from the log')
  const part: StreamPart = {
    ...{ name, topics, group, progress, topology, meter: new Meter() },
    open: (task: Task) => {
      running = new StreamTask({ topology, pipeline, task, release: version, onRebuild })
      return running
    },
    beside: (signal) => {
      const isRunning = () => part.meter.state === 'running' || part.meter.state === 'starting'
      const ticker = new Ticker({
        ...{ topic: ticks, writer: log.writer(`${group}.ticks`), idleMs: topology.options.idleMs },
        task: () => (isRunning() ? running : undefined),
        isCaughtUp: async () => areIdle(connectors) && (await hasReadAll(log, part)),
      })
      return ticker.run(signal)
    },
  }
  return part
}

/** An idle server still writes some WAL of its own: less than this is no backlog of changes. */
const idleBytes = 1024 * 1024

/** Nothing that was committed before now waits in a source. */
function areIdle(connectors: readonly ConnectorPart[]): boolean {
  return connectors.every(({ connector }) => {
    const { phase, retainedBytes } = connector.status()
    return phase === 'streaming' && retainedBytes !== null && retainedBytes < idleBytes
  })
}

async function hasReadAll(log: Log, { topics, progress }: StreamPart): Promise<boolean> {
  return progress.lag(await log.describe(), topics).records === 0
}

/** Views and connectors keep their positions under their names, as a topology does. */
function takenBy(connectors: Config['connectors'], topology: string): boolean {
  return topology === 'views' || connectors.some(({ name }) => name === topology)
}

/** What topologies and sinks name that nobody writes, and names that they cannot have. */
export function streamFaults(
  { name: pipeline, log, topics, connectors, views, sinks }: Config,
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
    if (log.type !== 'embedded') {
      const what = 'is a topology of streams, which runs on the embedded log only'
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
