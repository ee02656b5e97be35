import { setTimeout as sleep } from 'node:timers/promises'
import { MillraceError } from '../../core/errors.ts'
import type { LogRecord } from '../../core/record.ts'
import type { Batch, Position, Source } from '../../core/source.ts'
import { type Access, Cluster } from './cluster.ts'
import { faultOf, isFault, KafkaFault } from './fault.ts'
import { type Fetched, fetchFrom } from './fetch.ts'
import { Lane } from './lane.ts'
import { Merge } from './merge.ts'
import { decodePosition, encodePosition, type Place } from './position.ts'
import type { Schemas } from './schemas.ts'

export interface SourceOptions {
  readonly access: Access
  /** The consumer group. */
  readonly name: string
  readonly topics: readonly string[]
  readonly partition: number
  readonly schemas: Schemas
  /** Told of what is durable elsewhere. */
  readonly onAck: (place: Place) => void
}

/** How long a broker holds a fetch for which it has nothing. */
const waitMs = 500
/** So much is fetched ahead of what is given out, of each topic. */
const aheadBytes = 4 * 1024 * 1024
const limits = { bytes: 16 * 1024 * 1024, partitionBytes: 2 * 1024 * 1024 }
/** How long brokers may be away before reading fails. */
const patienceMs = 60_000
const retryMs = 200

/** Reads one partition of each of some topics, and of transactions only what was committed. */
export class PartitionSource implements Source<LogRecord> {
  readonly name: string
  readonly #options: SourceOptions

  constructor(options: SourceOptions) {
    this.#options = options
    this.name = options.name
  }

  /** The same cluster, the same topics, and offsets that they have come to. */
  async knows(position: Position): Promise<boolean> {
    const place = decodePosition(position)
    if (place === undefined) return false
    const { access, topics, partition } = this.#options
    const cluster = new Cluster(access)
    try {
      if (place.cluster !== (await cluster.id())) return false
      for (const topic of topics) {
        const was = place.topics.get(topic)
        if (was === undefined) continue
        const now = await cluster.topic(topic)
        if (now?.id !== was.id) return false
        const ends = await cluster.offsets(topic, 'end')
        if (was.next > Number(ends[partition] ?? 0n)) return false
      }
      return true
    } finally {
      await cluster.close()
    }
  }

  async *read(from: Position | undefined, signal: AbortSignal): AsyncGenerator<Batch<LogRecord>> {
    const cluster = new Cluster(this.#options.access)
    const closing = () => void cluster.close() // Ends the fetches that wait.
    signal.addEventListener('abort', closing)
    try {
      const place = from === undefined ? undefined : decodePosition(from)
      const lanes = await this.#open(cluster, place)
      const id = await cluster.id()
      const merge = new Merge(lanes, place?.open)
      const fetches = new Fetches(cluster, lanes, this.#options.schemas)
      while (!signal.aborted) {
        const batch = merge.next()
        if (batch === undefined) {
          await fetches.more(signal)
          continue
        }
        fetches.start()
        const topics = new Map(
          lanes.map(({ topic, topicId, next }) => [topic, { id: topicId, next }]),
        )
        const position = encodePosition({ cluster: id, topics, open: batch.open })
        yield { records: batch.records, position, complete: batch.open === undefined }
      }
    } catch (error) {
      if (!signal.aborted) throw error
    } finally {
      signal.removeEventListener('abort', closing)
      await cluster.close()
    }
  }

  next(position: Position): ReadonlyMap<string, bigint> {
    const topics = decodePosition(position)?.topics ?? new Map<string, never>()
    const { partition } = this.#options
    return new Map([...topics].map(([topic, { next }]) => [`${topic}/${partition}`, BigInt(next)]))
  }

  ack(position: Position): void {
    const place = decodePosition(position)
    if (place !== undefined) this.#options.onAck(place)
  }

  async #open(cluster: Cluster, place: Place | undefined): Promise<readonly Lane[]> {
    const { topics, partition, schemas } = this.#options
    const attach = schemas.attach.bind(schemas)
    const lanes: Lane[] = []
    for (const topic of topics) {
      const known = await cluster.topic(topic)
      if (known === undefined) throw new KafkaFault('UNKNOWN_TOPIC_OR_PARTITION', `Read ${topic}`)
      const start = (await cluster.offsets(topic, 'start'))[partition] ?? 0n
      const next = place?.topics.get(topic)?.next ?? Number(start)
      lanes.push(new Lane(known.id, { topic, partition, attach }, next))
    }
    return lanes
  }
}

/** One fetch at a time from each broker that leads something of interest. */
class Fetches {
  readonly #cluster: Cluster
  readonly #lanes: readonly Lane[]
  readonly #schemas: Schemas
  readonly #pending = new Map<string, Promise<void>>()
  #failure: { readonly error: unknown; readonly since: number } | undefined

  constructor(cluster: Cluster, lanes: readonly Lane[], schemas: Schemas) {
    this.#cluster = cluster
    this.#lanes = lanes
    this.#schemas = schemas
  }

  /** Waits until something has come, or a broker says that there is nothing. */
  async more(signal: AbortSignal): Promise<void> {
    await this.start()
    if (this.#pending.size > 0) await Promise.race(this.#pending.values())
    if (this.#failure !== undefined && !signal.aborted) {
      const { error, since } = this.#failure
      if (performance.now() - since > patienceMs) throw error
      await sleep(retryMs)
    }
    if (this.#schemas.isWaiting) await this.#schemas.settle()
  }

  /** Asks every broker that is not asked already. */
  async start(): Promise<void> {
    try {
      const byLeader = new Map<string, Lane[]>()
      for (const lane of this.#lanes) {
        const address = await this.#cluster.leader(lane.topic, lane.partition)
        byLeader.set(address, [...(byLeader.get(address) ?? []), lane])
      }
      for (const [address, lanes] of byLeader) this.#ask(address, lanes)
    } catch (error) {
      this.#failed(error)
    }
  }

  /** While there is enough of one topic, the broker is not left to wait for another. */
  #ask(address: string, lanes: readonly Lane[]): void {
    if (this.#pending.has(address)) return
    const isFull = lanes.some((lane) => lane.peek() !== undefined && lane.bytes >= aheadBytes)
    const asked = isFull ? lanes.filter(({ isBehind }) => isBehind) : lanes
    if (asked.length === 0) return
    const isWaiting = !isFull && lanes.every(({ isBehind }) => !isBehind)
    const fetching = this.#fetch(address, asked, isWaiting ? waitMs : 0)
    this.#pending.set(
      address,
      fetching.finally(() => this.#pending.delete(address)),
    )
  }

  async #fetch(address: string, lanes: readonly Lane[], waitMs: number): Promise<void> {
    const asked = lanes.map(({ topicId, partition, fetchAt }) => ({
      ...{ topicId, partition, offset: fetchAt },
    }))
    try {
      const answers = await fetchFrom(this.#cluster, address, asked, { ...limits, waitMs })
      for (const answer of answers) {
        const at = asked.findIndex(({ topicId }) => topicId === answer.topicId)
        // Another broker's answer may have come in between, when the leader has changed.
        if (asked[at]!.offset === lanes[at]!.fetchAt) this.#take(lanes[at]!, answer)
      }
      this.#failure = undefined
    } catch (error) {
      this.#failed(error)
    }
  }

  #take(lane: Lane, answer: Fetched): void {
    const { topic, partition, fetchAt } = lane
    if (answer.code === outOfRange) {
      const facts = `${topic}/${partition} begins at ${answer.start}, and ${fetchAt} is next`
      throw new MillraceError('LOG_GAP', `Records were removed before they were read: ${facts}.`)
    }
    if (answer.code !== 0) throw faultOf(answer.code, `Read ${topic}/${partition}`)
    lane.take(answer)
  }

  /** Where a broker is away, or does not lead any more, reading waits for the next one. */
  #failed(error: unknown): void {
    const isPassing = isFault(error, 'NETWORK', ...passing) && error.code === 'CONNECTION_LOST'
    const since = isPassing ? (this.#failure?.since ?? performance.now()) : Number.NEGATIVE_INFINITY
    this.#failure = { error, since }
    this.#cluster.forget()
  }
}

const outOfRange = 1

const passing = [
  'NOT_LEADER_OR_FOLLOWER',
  'LEADER_NOT_AVAILABLE',
  'UNKNOWN_LEADER_EPOCH',
  'FENCED_LEADER_EPOCH',
  'REPLICA_NOT_AVAILABLE',
  'KAFKA_STORAGE_ERROR',
  'OFFSET_NOT_AVAILABLE',
]
