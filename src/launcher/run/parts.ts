import { join } from 'node:path'
import type { Log } from '../../core/log.ts'
import { Meter } from '../../core/meter.ts'
import { RefusalGuard } from '../../core/refusal-guard.ts'
import type { Schema } from '../../core/schema.ts'
import { version } from '../../core/version.ts'
import { EmbeddedLog } from '../../log/embedded.ts'
import { CacheRoom } from '../../streams/state-cache.ts'
import type { StreamTopology } from '../../streams/stream-topology.ts'
import type { Topology } from '../../streams/topology.ts'
import { type ViewPhase, ViewTask } from '../../streams/view-task.ts'
import type { Config, From, SinkConfig } from '../config/config.ts'
import { assertColumns, ColumnWatch } from './columns.ts'
import { Gate } from './gate.ts'
import type { ConnectorPart, Parts, SinkPart, ViewsPart } from './pipeline.ts'
import { Progress } from './progress.ts'
import { openStreams } from './streams.ts'
import { forgetSpare, spareOf, Upgrade } from './upgrade.ts'
import { isTable, readsTable, tableName } from './views.ts'

export interface PartsOptions {
  readonly log: Log
  readonly topology: Topology
  /** The views as they were when their state was made, if they were others. */
  readonly former?: Topology | undefined
  /** Those of streams. */
  readonly streams?: readonly StreamTopology[]
  /** Takes what a part has to say, with the part's name. */
  readonly say: (name: string, line: string) => void
}

/** Makes the parts of a pipeline. Nothing connects before it runs. */
export function openParts(config: Config, options: PartsOptions): Parts {
  const { log, topology, streams = [], say } = options
  const caches = cacheRoomOf(config)
  const connectors = config.connectors.map((connector) => openConnector(config, connector, options))
  return {
    pipeline: config.name,
    log,
    connectors,
    views: topology.views.length === 0 ? undefined : openViews(config, { ...options, caches }),
    streams: openStreams(config, streams, { log, connectors, caches, say }),
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

/** One for all tasks of the pipeline. */
function cacheRoomOf({ stateCacheMb }: Config): CacheRoom {
  return new CacheRoom(stateCacheMb === undefined ? undefined : stateCacheMb * 1024 * 1024)
}

interface ViewsOptions extends PartsOptions {
  readonly caches: CacheRoom
}

/** Changed views are built beside those that serve, where these can still be had. */
function openViews(config: Config, options: ViewsOptions): ViewsPart {
  const { log, topology, former, say } = options
  const group = `${config.name}.views`
  const views = openTask(config, options, { name: 'views', group, topology })
  if (!(log instanceof EmbeddedLog)) return views
  const beside = (signal: AbortSignal) => forgetSpare(log, group, signal)
  if (former === undefined) return { ...views, forgetSpare: beside }
  const spare = { name: 'views.next', group: spareOf(group), topology, withholds: true }
  const next = { ...openTask(config, options, spare), letters: group }
  const before = openTask(config, options, {
    name: 'views',
    group,
    topology: former,
    isFormer: true,
  })
  const { meter, progress } = views
  const upgrade = new Upgrade({
    ...{ log, next, former: { ...before, meter, progress } },
    say: (line) => say('views', line),
  })
  return {
    ...{ ...views, upgrade, forgetSpare: beside },
    get topics() {
      return upgrade.isOver ? views.topics : upgrade.topics
    },
  }
}

interface TaskOptions {
  readonly name: string
  readonly group: string
  readonly topology: Topology
  readonly withholds?: boolean
  /** Not what the configuration says, so nothing is said about its columns. */
  readonly isFormer?: boolean
}

function openTask(
  config: Config,
  { log, caches, say }: ViewsOptions,
  { name, group, topology, withholds = false, isFormer = false }: TaskOptions,
): ViewsPart {
  // A table goes by the keys of its topic, one partition after the other; other views do not.
  const isWhole = topology.views.some(({ name }) => !isTable(name))
  const spread = { task: group, ...(isWhole && { tasks: 1 }) }
  const ends = (partition: number) => async (topics: readonly string[]) => {
    if (log.ends !== undefined) return log.ends(topics, partition, spread)
    const info = await log.describe()
    const known = info.topics.filter(({ topic }) => topics.includes(topic))
    return new Map(known.map(({ topic, partitions }) => [topic, partitions[0]?.end ?? 0n]))
  }
  const watch = isFormer ? undefined : new ColumnWatch(config, (line) => say(name, line))
  const onProgress = (phase: ViewPhase) => {
    if (phase === 'building') say(name, 'building from the log')
    watch?.phase(phase)
  }
  const onSchema = (topic: string, schema: Schema) => watch?.note(topic, schema)
  return {
    name,
    topics: topology.topics,
    group,
    meter: new Meter(),
    progress: new Progress(),
    spread,
    open: (task, partition) =>
      new ViewTask({
        ...{ topology, task, caches, release: version, onProgress, onSchema, withholds },
        ...{
          ends: ends(partition),
          check: () => (isFormer ? Promise.resolve() : assertColumns(config)),
        },
      }),
  }
}

function openSink(
  { name: pipeline, log }: Config,
  sink: SinkConfig,
  from: From,
  { topology, say }: PartsOptions,
): SinkPart {
  const { plugin, options } = sink
  const name = partName(sink, from)
  const { topic } = from
  const shared = log.kafka !== undefined
  const said = (line: string) => say(name, line)
  const context = { pipeline, name: sink.name, topic, shared, say: said }
  return {
    name,
    topics: [topicToRead(sink, from, topology)],
    group: groupOf(pipeline, sink, from),
    meter: new Meter(),
    progress: new Progress(),
    gate: new Gate(),
    errands: new Map(),
    guard: new RefusalGuard(),
    open: (partition) => plugin.open(options, { ...context, partition }),
    reindexing:
      plugin.reindex && ((partition) => plugin.reindex!(options, { ...context, partition })),
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
