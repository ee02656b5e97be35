import type { LogRecord } from '../../core/record.ts'
import type { Position } from '../../core/source.ts'
import type { PolicyOf } from '../../core/topic-policy.ts'
import type {
  Destination,
  GroupFacts,
  Inspection,
  LetterWithRecord,
  PlaceFound,
  RecordPlace,
  TopicFacts,
  TopicScan,
  WriterFacts,
} from '../inspection.ts'
import { keyOfRecord, type Letter, letterKey, withHeaders } from '../letter.ts'
import { accessOf } from './access.ts'
import { type Access, Cluster } from './cluster.ts'
import { Formats } from './formats.ts'
import { committedOf, forgetGroup, groupsOf, membersOf } from './group-state.ts'
import { type Found, toRecord } from './headers.ts'
import { LetterIndex, sinksWithLetters } from './letter-index.ts'
import type { KafkaOptions } from './options.ts'
import { partitionOf } from './partitioner.ts'
import { placesFor } from './places.ts'
import { decodePosition } from './position.ts'
import { positionWriters, readStored } from './position-record.ts'
import { endOfRecords, readPartition } from './scan-partition.ts'
import { Schemas, schemaTopic } from './schemas.ts'
import { topicFacts } from './topic-facts.ts'
import { policyOf, type TopicPolicy } from './topics.ts'

export interface Inspected {
  readonly access: Access
  readonly pipeline: string
  /** Whether a topic of the cluster is one of the pipeline. */
  readonly isOurs: (topic: string) => boolean
  readonly policyOf: (topic: string) => TopicPolicy
  readonly options: KafkaOptions
}

/** A log on Kafka as its configuration describes it. */
export interface Configured extends Pick<Inspected, 'pipeline' | 'isOurs' | 'options'> {
  readonly keep: PolicyOf
}

export function inspectKafka({ options, keep, ...inspected }: Configured): KafkaInspection {
  const access = accessOf({ pipeline: inspected.pipeline, options })
  return new KafkaInspection({
    ...inspected,
    ...{ access, options },
    policyOf: (topic) => policyOf(topic, { options, keep }),
  })
}

/** Looks into topics on a cluster, with connections of its own. */
export class KafkaInspection implements Inspection {
  readonly cluster: Cluster
  readonly #inspected: Inspected
  readonly #schemas: Schemas
  readonly #formats: Formats

  constructor(inspected: Inspected) {
    const { access, policyOf, options } = inspected
    this.#formats = new Formats(options)
    this.#inspected = inspected
    this.cluster = new Cluster(access)
    this.#schemas = new Schemas(access, policyOf(schemaTopic))
  }

  identity(): Promise<string> {
    return this.cluster.id()
  }

  async names(): Promise<readonly string[]> {
    const names = await this.cluster.refresh(null)
    return names.filter(this.#inspected.isOurs).sort()
  }

  topics(names: readonly string[]): Promise<readonly TopicFacts[]> {
    return topicFacts(this.cluster, names)
  }

  async groups(): Promise<readonly GroupFacts[]> {
    const groups = await groupsOf(this.cluster, `${this.#inspected.pipeline}.`)
    const facts: GroupFacts[] = []
    for (const group of groups) facts.push(await this.#group(group))
    return facts
  }

  async head(): Promise<number> {
    let head = 0
    for (const topic of await this.names()) {
      for (const end of await this.cluster.offsets(topic, 'stable')) head += Number(end)
    }
    return head
  }

  async writers(): Promise<readonly WriterFacts[]> {
    const writers = positionWriters(await this.cluster.refresh(null), this.#inspected.pipeline)
    const facts: WriterFacts[] = []
    for (const writer of writers) {
      const stored = await readStored(this.cluster, writer)
      const { position = null, timestamp = 0 } = stored ?? {}
      if (position !== null) facts.push({ writer, position, timestamp })
    }
    return facts
  }

  async partitions(topic: string): Promise<number> {
    return (await this.cluster.topic(topic))?.leaders.length ?? 0
  }

  async partitionOf(topic: string, key: Uint8Array): Promise<number> {
    const partitions = await this.partitions(topic)
    return partitions > 1 ? partitionOf(key, partitions) : 0
  }

  scan(topic: string, from: readonly RecordPlace[] = []): TopicScan {
    const next = new Map<number, number>()
    for (const { partition, offset } of from) {
      next.set(partition, Math.min(next.get(partition) ?? Number.POSITIVE_INFINITY, Number(offset)))
    }
    const partitions = from.length === 0 ? undefined : [...next.keys()]
    const more = () => this.#scan(topic, next, partitions)
    return { more }
  }

  async recordAt(
    topic: string,
    { partition, offset }: RecordPlace,
  ): Promise<LogRecord | undefined> {
    const from = Number(offset)
    for await (const record of this.read(topic, partition, from)) {
      return record.offset === offset ? record : undefined
    }
    return undefined
  }

  isPassed(position: Position | null, topic: string, { offset }: RecordPlace): boolean {
    const next = position && decodePosition(position)?.topics.get(topic)?.next
    return (next ?? 0) > Number(offset)
  }

  async letters(): Promise<readonly Letter[]> {
    const sinks = sinksWithLetters(await this.cluster.refresh(null), this.#inspected.pipeline)
    const letters: Letter[] = []
    for (const sink of sinks) {
      const index = new LetterIndex(sink)
      await index.refresh(this.cluster)
      letters.push(...index)
    }
    return letters.sort(byPlace)
  }

  /** Letters' records are in no order: each dead-letter topic is read once, from the oldest on. */
  async *withRecords(letters: readonly Letter[]): AsyncGenerator<LetterWithRecord> {
    for (const [topic, some] of Map.groupBy(letters, ({ topic }) => topic)) {
      const wanted = new Map(some.map((letter) => [letterKey(letter), letter]))
      for await (const found of this.#refused(`${topic}.dlq`, wanted)) yield found
      for (const letter of wanted.values()) yield { letter, record: undefined }
    }
  }

  placesFor(topics: readonly string[], to: Destination): Promise<ReadonlyMap<number, PlaceFound>> {
    return placesFor(this.cluster, topics, to)
  }

  /** The processes that read for a group, as people name them. */
  async membersOf(group: string): Promise<readonly string[]> {
    const members = await membersOf(this.cluster, group)
    return members.map(({ client, host }) => `${client} at ${host}`)
  }

  /** Removes a group that nobody reads for; one that is not there is no error. */
  forget(group: string): Promise<void> {
    return forgetGroup(this.cluster, group)
  }

  /** The committed records of one partition that are there by now. */
  async *read(topic: string, partition: number, from: number): AsyncGenerator<LogRecord> {
    const origin = { topic, partition, attach: this.#schemas.attach.bind(this.#schemas) }
    let version: bigint | undefined
    let sequence = 0n
    for await (const { records } of readPartition(this.cluster, { topic, partition, from })) {
      const found: Found[] = []
      for (const raw of records) {
        const record = toRecord(raw, origin)
        if (record.version !== version) sequence = record.offset
        version = record.version
        record.sequence = sequence
        found.push(record)
      }
      if (this.#schemas.isWaiting) await this.#schemas.settle()
      await this.#formats.read(found)
      yield* found
    }
  }

  async close(): Promise<void> {
    this.#formats.close()
    await this.cluster.close()
  }

  async *#scan(
    topic: string,
    next: Map<number, number>,
    only: readonly number[] | undefined,
  ): AsyncGenerator<LogRecord> {
    this.cluster.forget()
    for (const partition of only ?? Array(await this.partitions(topic)).keys()) {
      for await (const record of this.read(topic, partition, next.get(partition) ?? 0)) {
        next.set(partition, Number(record.offset) + 1)
        yield record
      }
    }
  }

  async #group(group: string): Promise<GroupFacts> {
    const committed = await committedOf(this.cluster, group)
    const members = await this.membersOf(group)
    const partitions: NonNullable<GroupFacts['partitions']>[number][] = []
    for (const [topic, offsets] of committed) {
      for (const [partition, offset] of offsets) {
        const end = await endOfRecords(this.cluster, topic, partition)
        partitions.push({ topic, partition, next: Number(offset), end })
      }
    }
    const sum = (each: (at: (typeof partitions)[number]) => number) =>
      partitions.reduce((total, at) => total + each(at), 0)
    return {
      group,
      topics: [...committed.keys()],
      sequence: sum(({ next }) => next),
      behind: sum(({ next, end }) => Math.max(0, end - next)),
      seenAt: members.length > 0 ? Date.now() : null,
      partitions,
      members,
    }
  }

  /** Takes what is found from `wanted`. A record is no older than the letter says. */
  async *#refused(topic: string, wanted: Map<string, Letter>): AsyncGenerator<LetterWithRecord> {
    const since = Math.min(...[...wanted.values()].map(({ at }) => at))
    const starts = await this.cluster.offsets(topic, since)
    for (const [partition, start] of starts.entries()) {
      if (start < 0n || wanted.size === 0) continue
      for await (const record of this.read(topic, partition, Number(start))) {
        const letter = wanted.get(keyOfRecord(record))
        if (letter === undefined) continue
        wanted.delete(letterKey(letter))
        yield { letter, record: withHeaders(record, letter) }
        if (wanted.size === 0) break
      }
    }
  }
}

function byPlace(a: Letter, b: Letter): number {
  if (a.sink !== b.sink) return a.sink < b.sink ? -1 : 1
  if (a.topic !== b.topic) return a.topic < b.topic ? -1 : 1
  return a.partition - b.partition || Number(a.offset - b.offset)
}
