import type { LogInfo } from '../../core/log.ts'
import type { Meter } from '../../core/meter.ts'
import type { Mask } from '../config/mask.ts'
import type { ConnectorPart, Parts, SinkPart, ViewsPart } from '../run/pipeline.ts'
import { viewParts } from '../run/upgrade.ts'

/** How a pipeline is doing: what `millrace status --json` prints. */
export interface Status {
  readonly v: 1
  readonly pipeline: string
  readonly pid: number
  readonly startedAt: string
  readonly log: { readonly path: string; readonly topics: number; readonly records: number }
  readonly parts: readonly PartStatus[]
}

export interface PartStatus {
  readonly kind: 'connector' | 'views' | 'streams' | 'sink'
  readonly name: string
  readonly state: Meter['state']
  /** Why it is not running, with the hint that says what to do. */
  readonly reason: string | null
  readonly topics: readonly string[]
  /** Those that have come through: applied, stale, coalesced, filtered or dead, each once. */
  readonly records: number
  readonly applied: number
  readonly stale: number
  readonly coalesced: number
  readonly filtered: number
  readonly dead: number
  readonly retries: number
  /** Views and sinks only: records that it has not come through with. */
  readonly pending?: number
  /** Dead letters that wait for somebody; counted since they were made, not since the start. */
  readonly letters: number
  readonly lag: {
    readonly bytes: number | null
    readonly seconds: number | null
    readonly records: number | null
  }
  /** Readers on Kafka only: how far the group is in each partition, and the processes in it. */
  readonly partitions?: readonly PartitionStatus[]
  readonly members?: readonly string[]
  /** Connectors only. */
  readonly phase?: string
  readonly retainedBytes?: number | null
  readonly detail?: Readonly<Record<string, string | number>>
}

export interface PartitionStatus {
  readonly topic: string
  readonly partition: number
  /** The offset that comes next. */
  readonly next: number
  readonly behind: number
}

export interface Origin {
  readonly startedAt: Date
  readonly path: string
  readonly mask: Mask
  /** How many dead letters of a group wait. */
  readonly openLetters?: (group: string) => number
}

export async function statusOf(
  { pipeline, log, connectors, views, streams = [], sinks }: Parts,
  { startedAt, path, mask, openLetters = () => 0 }: Origin,
): Promise<Status> {
  const info = await log.describe()
  const ends = info.topics.flatMap(({ partitions }) => partitions)
  const reading = (kind: 'views' | 'streams' | 'sink', part: ViewsPart | SinkPart) => {
    return { ...readerStatus(kind, part, info), letters: openLetters(part.group) }
  }
  const parts = [
    ...connectors.map(connectorStatus),
    ...viewParts(views).map((part) => reading('views', part)),
    ...streams.map((part) => reading('streams', part)),
    ...sinks.map((sink) => reading('sink', sink)),
  ]
  return {
    v: 1,
    pipeline,
    pid: process.pid,
    startedAt: startedAt.toISOString(),
    log: {
      path,
      topics: info.topics.length,
      records: ends.reduce((sum, { start, end }) => sum + Number(end - start), 0),
    },
    parts: parts.map((part) => cleaned(part, mask)),
  }
}

/** Reasons and details may quote what a driver says. */
function cleaned({ reason, detail, ...rest }: PartStatus, mask: Mask): PartStatus {
  const clean = (value: string | number) => (typeof value === 'string' ? mask.clean(value) : value)
  const entries = Object.entries(detail ?? {}).map(([name, value]) => [name, clean(value)])
  return {
    ...rest,
    reason: reason && mask.clean(reason),
    ...(detail === undefined ? {} : { detail: Object.fromEntries(entries) }),
  }
}

/**
 * What a part is up to. A pump knows that it runs only when the first batch has come through; a
 * connector knows as soon as it is connected.
 */
export function stateOf(
  part: ConnectorPart | ViewsPart | SinkPart,
): Pick<Meter, 'state' | 'reason'> {
  const { state, reason } = part.meter
  const isConnected = 'connector' in part && part.connector.status().phase !== 'connecting'
  return state === 'starting' && isConnected
    ? { state: 'running', reason: null }
    : { state, reason }
}

/** An idle server still writes some WAL of its own: less than this is no backlog of changes. */
const idleBytes = 1024 * 1024

function connectorStatus(part: ConnectorPart): PartStatus {
  const { connector, meter, name } = part
  const { phase, retainedBytes, detail } = connector.status()
  const age = meter.timestamp === 0 ? null : Math.max(0, Date.now() - meter.timestamp) / 1000
  const caughtUp = phase === 'streaming' && retainedBytes !== null && retainedBytes < idleBytes
  return {
    kind: 'connector',
    name,
    ...counts(meter),
    ...stateOf(part),
    letters: 0,
    topics: connector.topics,
    lag: { bytes: retainedBytes, seconds: caughtUp ? 0 : age, records: null },
    phase,
    retainedBytes,
    detail,
  }
}

function readerStatus(
  kind: 'views' | 'streams' | 'sink',
  { name, group, meter, topics, progress }: ViewsPart | SinkPart,
  info: LogInfo,
): Omit<PartStatus, 'letters'> {
  const lag = progress.lag(info, topics)
  return { kind, name, ...counts(meter), pending: lag.records, topics, lag, ...spread(info, group) }
}

function spread({ groups }: LogInfo, group: string): Pick<PartStatus, 'partitions' | 'members'> {
  const { partitions, members } = groups.find((each) => each.group === group) ?? {}
  if (partitions === undefined || members === undefined) return {}
  const lags = partitions.map(({ topic, partition, next, end }) => {
    return { topic, partition, next: Number(next), behind: Number(end > next ? end - next : 0n) }
  })
  return { partitions: lags, members }
}

function counts(meter: Meter) {
  const { state, reason, records, applied, stale, coalesced, filtered, dead, retries } = meter
  return { state, reason, records, applied, stale, coalesced, filtered, dead, retries }
}
