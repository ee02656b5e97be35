import { join } from 'node:path'
import { MillraceError } from '../../core/errors.ts'
import type { Log } from '../../core/log.ts'
import { Meter } from '../../core/meter.ts'
import { RefusalGuard } from '../../core/refusal-guard.ts'
import { version } from '../../core/version.ts'
import type { StreamTopology } from '../../streams/stream-topology.ts'
import type { Topology } from '../../streams/topology.ts'
import { ViewTask } from '../../streams/view-task.ts'
import type { Config, From, SinkConfig } from '../config/config.ts'
import { Errands } from './errands.ts'
import { Gate } from './gate.ts'
import type { ConnectorPart, Parts, SinkPart, ViewsPart } from './pipeline.ts'
import { Progress } from './progress.ts'
import { openStreams } from './streams.ts'
import { readsTable, tableName } from './views.ts'

export interface PartsOptions {
  readonly log: Log
  readonly topology: Topology
  /** Those of streams. */
  readonly streams?: readonly StreamTopology[]
  /** Takes what a part has to say, with the part's name. */
  readonly say: (name: string, line: string) => void
}

/** Makes the parts of a pipeline. Nothing connects before it runs. */
export function openParts(config: Config, options: PartsOptions): Parts {
  const { log, topology, streams = [], say } = options
  const connectors = config.connectors.map((connector) => openConnector(config, connector, options))
  return {
    pipeline: config.name,
    log,
    connectors,
    views: topology.views.length === 0 ? undefined : openViews(config, options),
    streams: openStreams(config, streams, { log, connectors, say }),
    sinks: config.sinks.flatMap((sink) =>
      sink.from.map((from) => openSink(config, sink, from, options)),
    ),
  }
}

function openConnector(
  { name: pipeline, log }: Config,
  { name, plugin, options }: Config['connectors'][number],
  { say }: PartsOptions,
): ConnectorPart {
  const directory = join(log.path, 'scratch', name)
  const context = { pipeline, name, directory, say: (line: string) => say(name, line) }
  return {
    name,
    connector: plugin.open(options, context),
    meter: new Meter(),
    gate: new Gate('connector'),
  }
}

function openViews({ name: pipeline }: Config, { log, topology, say }: PartsOptions): ViewsPart {
  const ends = (partition: number) => async (topics: readonly string[]) => {
    if (log.ends !== undefined) return log.ends(topics, partition)
    const info = await log.describe()
    const known = info.topics.filter(({ topic }) => topics.includes(topic))
    return new Map(known.map(({ topic, partitions }) => [topic, partitions[0]?.end ?? 0n]))
  }
  const onProgress = (phase: string) => {
    if (phase === 'building') say('views', 'building from the log')
  }
  return {
    name: 'views',
    topics: topology.topics,
    group: `${pipeline}.views`,
    meter: new Meter(),
    progress: new Progress(),
    open: (task, partition) => {
      assertWhole(topology, partition)
      return new ViewTask({
        ...{ topology, task, release: version, onProgress },
        ends: ends(partition),
      })
    },
  }
}

/** A table goes by the keys of its topic, one partition after the other; other views do not. */
function assertWhole({ views }: Topology, partition: number): void {
  const view = views.find(({ name }) => !name.startsWith('table.'))
  if (partition === 0 || view === undefined) return
  const message = `The view ${view.name} reads topics with several partitions; it needs all in one.`
  throw new MillraceError('TOPIC_LAYOUT', message)
}

function openSink(
  { name: pipeline }: Config,
  sink: SinkConfig,
  from: From,
  { topology, say }: PartsOptions,
): SinkPart {
  const { plugin, options } = sink
  const name = partName(sink, from)
  const { topic } = from
  const context = { pipeline, name: sink.name, topic, say: (line: string) => say(name, line) }
  return {
    name,
    topics: [topicToRead(sink, from, topology)],
    group: groupOf(pipeline, sink, from),
    meter: new Meter(),
    progress: new Progress(),
    gate: new Gate(),
    errands: new Errands(),
    guard: new RefusalGuard(),
    open: (partition) => plugin.open(options, { ...context, partition }),
    reindexing: plugin.reindex && (() => plugin.reindex!(options, { ...context, partition: 0 })),
  }
}

/** A sink that reads several topics is as many parts. */
export function partName(sink: SinkConfig, from: From): string {
  return sink.from.length === 1 ? sink.name : `${sink.name}/${from.topic}`
}

export function groupOf(pipeline: string, sink: SinkConfig, from: From): string {
  return `${pipeline}.${sink.name}.${from.topic}`
}

/** A table's rows come from the view that keeps it; the sink still goes by the topic's name. */
export function topicToRead(sink: SinkConfig, from: From, topology: Topology): string {
  if (from.kind === 'view' || !readsTable(sink)) return from.topic
  return topology.views.find(({ name }) => name === tableName(from.topic))?.topic ?? from.topic
}
