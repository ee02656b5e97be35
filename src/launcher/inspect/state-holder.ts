import { setTimeout as sleep } from 'node:timers/promises'
import { acknowledged, decodePosition } from '../../../connectors/postgres/position.ts'
import type { Holder } from '../../console/holder.ts'
import type { Json } from '../../core/json.ts'
import type { Log, LogInfo } from '../../core/log.ts'
import type { Position } from '../../core/source.ts'
import { EmbeddedLog } from '../../log/embedded.ts'
import { getJson } from '../../log/environment.ts'
import type { KafkaLog } from '../../log/kafka/kafka-log.ts'
import { partitionOf } from '../../log/kafka/partitioner.ts'
import { StagedStore } from '../../log/staged-store.ts'
import { hopKey } from '../../streams/hops.ts'
import { State } from '../../streams/state.ts'
import type { Parts, ViewsPart } from '../run/pipeline.ts'

export interface Running {
  readonly parts: Parts
  readonly log: Log
}

/** What is to be seen in the state of a part's tasks, as of their last durable commit. */
export function holderOf<T>(
  running: Running,
  part: ViewsPart,
  look: (state: State) => T,
): Holder<T> {
  const { log } = running
  if (log instanceof EmbeddedLog) return embeddedHolder({ ...running, log }, part, look)
  return kafkaHolder({ ...running, log: log as KafkaLog }, part, look)
}

function embeddedHolder<T>(
  { parts, log }: Running & { readonly log: EmbeddedLog },
  { group }: ViewsPart,
  look: (state: State) => T,
): Holder<T> {
  const { meta, state } = log.environment
  return {
    partitions: 1,
    partitionOf: () => 0,
    held: () => {
      const id = getJson<number>(meta, `task/${group}`)
      if (id === undefined) return undefined
      return { state: look(new State(new StagedStore(state, id), 0)), ageMs: undefined }
    },
    others: () => ({ owner: undefined, standbys: [] }),
    reached: (version, _partition, signal) => untilEmbedded({ parts, log }, version, signal),
  }
}

function kafkaHolder<T>(
  { parts, log }: Running & { readonly log: KafkaLog },
  part: ViewsPart,
  look: (state: State) => T,
): Holder<T> {
  const { group, topics, spread } = part
  const partitions = spread?.tasks ?? 1
  const replicas = log.replicas(group)
  const writers = parts.connectors.map(({ name }) => `${parts.pipeline}.${name}`)
  return {
    partitions,
    partitionOf: (key) => taskOf(key, partitions),
    held: (partition) => {
      const replica = replicas.replica(partition)
      if (replica === undefined) return undefined
      return { state: look(new State(replica.store, 0)), ageMs: replica.ageMs }
    },
    others: (partition) => {
      const { owner, standbys } = replicas.others(partition)
      return { owner: owner?.url, standbys: standbys.flatMap(({ url }) => url ?? []) }
    },
    reached: async (version, partition, signal) => {
      const { untilReached } = await import('../../log/kafka/reached.ts')
      const isFar = (position: Position) => isAt(position, version)
      return untilReached(log, { group, topics, spread, partition, writers, isFar }, signal)
    },
  }
}

/** The number of the task that has a key; a window lies where its key does. */
function taskOf(key: Json, tasks: number): number {
  if (tasks === 1) return 0
  const bytes = hopKey(isWindow(key) ? key.key : key)
  return bytes === null ? 0 : partitionOf(bytes, tasks)
}

function isWindow(key: Json): key is { readonly key: Json } {
  if (typeof key !== 'object' || key === null || Array.isArray(key)) return false
  return Object.keys(key).sort().join() === 'end,key,start'
}

function isAt(text: Position, version: bigint): boolean {
  const position = decodePosition(text)
  return position.snapshot === undefined && acknowledged(position) >= version
}

/** The connectors have read the WAL up to there, and the views all that the log held then. */
async function untilEmbedded(
  { parts, log }: Running & { readonly log: EmbeddedLog },
  version: bigint,
  signal: AbortSignal,
): Promise<boolean> {
  const readers = [...(parts.views === undefined ? [] : [parts.views]), ...(parts.streams ?? [])]
  let goal: LogInfo | undefined
  while (!signal.aborted) {
    if (goal === undefined && connectorsAreAt(parts, log, version)) {
      await log.settled()
      goal = await log.describe()
    }
    const then = goal
    if (then && readers.every((part) => part.progress.lag(then, part.topics).records === 0)) {
      return true
    }
    await sleep(5)
  }
  return false
}

function connectorsAreAt(
  { pipeline, connectors }: Parts,
  { environment: { positions } }: EmbeddedLog,
  version: bigint,
): boolean {
  return connectors.every(({ name }) => {
    const stored = getJson<{ position: Position }>(positions, `${pipeline}.${name}`)
    return stored !== undefined && isAt(stored.position, version)
  })
}
