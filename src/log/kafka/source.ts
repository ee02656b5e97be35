import { setTimeout as sleep } from 'node:timers/promises'
import { MillraceError } from '../../core/errors.ts'
import { partitionsToRead, type Spread } from '../../core/log.ts'
import type { LogRecord } from '../../core/record.ts'
import type { Batch, Position, Source } from '../../core/source.ts'
import { beginnings } from './beginnings.ts'
import { type Access, Cluster } from './cluster.ts'
import { DeleteWatch } from './delete-watch.ts'
import { faultOf, isFault, KafkaFault } from './fault.ts'
import { type Fetched, fetchFrom } from './fetch.ts'
import type { Formats } from './formats.ts'
import { Lane } from './lane.ts'
import { Merge } from './merge.ts'
import { decodePosition, encodePosition, type Place, placeName, readPlaceName } from './position.ts'
import type { Schemas } from './schemas.ts'

export interface SourceOptions {
  readonly access: Access
  /** The consumer group. */
  readonly name: string
  readonly topics: readonly string[]
  readonly partition: number
  /** If several tasks share all partitions; else this partition of each topic is read. */
  readonly spread?: Spread | undefined
  readonly schemas: Schemas
  readonly formats: Formats
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

/** Reads partitions of some topics, mostly one of each; of transactions only what was committed. */
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
    const cluster = new Cluster(this.#options.access)
    try {
      if (place.cluster !== (await cluster.id())) return false
      for (const [lane, was] of place.topics) {
        const { topic, partition } = this.#laneOf(lane)
        if (!this.#options.topics.includes(topic)) continue
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
    const { access, schemas, formats } = this.#options
    const cluster = new Cluster(access)
    const closing = () => void cluster.close() // Ends the fetches that wait.
    signal.addEventListener('abort', closing)
    try {
      const place = from === undefined ? undefined : decodePosition(from)
      const lanes = await this.#open(cluster, place)
      const id = await cluster.id()
      const deletes = await this.#watch(cluster, lanes, place)
      const merge = new Merge(lanes, place?.open)
      let isWhole = place?.open === undefined
      const fetches = new Fetches(cluster, lanes, schemas)
      if (place === undefined && this.#beginsLate) {
        // What comes while nothing was read yet is not passed over after a restart.
        const position = this.#position({ id, lanes, deletes }, undefined)
        yield { records: [], position, complete: true }
      }
      while (!signal.aborted) {
        deletes.check()
        const isIdle = isWhole && deletes.isDue()
        const batch = merge.next() ?? (isIdle ? nothingNew : undefined)
        if (batch === undefined) {
          await fetches.more(signal)
          continue
        }
        fetches.start()
        const { records, open, atEnd } = batch
        const position = this.#position({ id, lanes, deletes }, open)
        if (schemas.isWaiting) await schemas.settle()
        await formats.read(records)
        isWhole = open === undefined
        yield { records, position, complete: isWhole, atEnd }
      }
    } catch (error) {
      if (!signal.aborted) throw error
    } finally {
      signal.removeEventListener('abort', closing)
      await cluster.close()
    }
  }

  next(position: Position): ReadonlyMap<string, bigint> {
    const lanes = decodePosition(position)?.topics ?? new Map<string, never>()
    const places = [...lanes].map(([lane, { next }]) => {
      const { topic, partition } = this.#laneOf(lane)
      return [`${topic}/${partition}`, BigInt(next)] as const
    })
    return new Map(places)
  }

  ack(position: Position): void {
    const place = decodePosition(position)
    if (place !== undefined) this.#options.onAck(place)
  }

  async #open(cluster: Cluster, place: Place | undefined): Promise<readonly Lane[]> {
    const { topics, schemas, formats } = this.#options
    const attach = schemas.attach.bind(schemas)
    const lanes: Lane[] = []
    for (const topic of topics) {
      const known = await cluster.topic(topic)
      if (known === undefined) throw new KafkaFault('UNKNOWN_TOPIC_OR_PARTITION', `Read ${topic}`)
      const starts = await beginnings(cluster, topic, formats.input(topic)?.begin)
      const ends = await cluster.offsets(topic, 'stable')
      for (const partition of partitionsToRead(topic, known.leaders.length, this.#options)) {
        const next = place?.topics.get(this.#nameOf(topic, partition))?.next
        const from = next ?? Number(starts[partition] ?? 0n)
        const end = Number(ends[partition] ?? 0n)
        lanes.push(new Lane(known.id, { topic, partition, attach }, { from, end }))
      }
    }
    return lanes
  }

  get #beginsLate(): boolean {
    const { topics, formats } = this.#options
    return topics.some((topic) => (formats.input(topic)?.begin ?? 'earliest') !== 'earliest')
  }

  async #watch(
    cluster: Cluster,
    lanes: readonly Lane[],
    place: Place | undefined,
  ): Promise<DeleteWatch> {
    const since = lanes.map((lane) => {
      const name = this.#nameOf(lane.topic, lane.partition)
      return [lane, place?.topics.get(name)?.at] as const
    })
    return DeleteWatch.open(cluster, since)
  }

  #position({ id, lanes, deletes }: Read, open: Place['open']): Position {
    const progress = lanes.map((lane) => {
      const { topic, partition, topicId, next } = lane
      const at = deletes.tell(lane)
      return [this.#nameOf(topic, partition), { id: topicId, next, at }] as const
    })
    return encodePosition({ cluster: id, topics: new Map(progress), open })
  }

  #nameOf(topic: string, partition: number): string {
    return placeName({ topic, partition }, this.#options.partition)
  }

  #laneOf(name: string) {
    return readPlaceName(name, this.#options.partition)
  }
}

/** What a position tells of. */
interface Read {
  /** The cluster's. */
  readonly id: string
  readonly lanes: readonly Lane[]
  readonly deletes: DeleteWatch
}

const nothingNew = { records: [], open: undefined, atEnd: true } as const

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
        const at = asked.findIndex(({ topicId, partition }) => {
          return topicId === answer.topicId && partition === answer.partition
        })
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
