import { offsetFetchV8 } from '@platformatic/kafka'
import { MillraceError } from '../../core/errors.ts'
import type { Assignment, DeadLetters, GroupInfo, Log, LogInfo, TopicInfo } from '../../core/log.ts'
import type { LogRecord, NewRecord } from '../../core/record.ts'
import type { Sink } from '../../core/sink.ts'
import type { Source } from '../../core/source.ts'
import { keepAll, type PolicyOf } from '../../core/topic-policy.ts'
import { lockDirectory } from '../lock.ts'
import { accessOf } from './access.ts'
import { Cluster } from './cluster.ts'
import { interleave } from './interleave.ts'
import { KafkaLetters } from './letters.ts'
import { LocalState } from './local-state.ts'
import { Membership, type Owned } from './membership.ts'
import type { KafkaOptions } from './options.ts'
import { encodePosition, type Place } from './position.ts'
import { endOfRecords } from './scan-partition.ts'
import { Schemas, schemaTopic } from './schemas.ts'
import { PartitionSource } from './source.ts'
import { KafkaTask } from './task.ts'
import { ensureTopic, policyOf } from './topics.ts'
import type { KafkaWiring } from './wiring.ts'
import { KafkaWriter } from './writer.ts'

export interface KafkaLogOptions {
  readonly pipeline: string
  /** Directory for the state of tasks; one process at a time. */
  readonly path: string
  readonly options: KafkaOptions
  /** What the topics keep that are made; everything, by default. */
  readonly keep?: PolicyOf
}

/**
 * Opens the log. Connects lazily: brokers that cannot be reached are an error of those who read and
 * write. Throws LOG_IN_USE if another process has the directory.
 */
export function openKafkaLog(options: KafkaLogOptions): KafkaLog {
  return new KafkaLog(options)
}

/** Offsets are committed to a group so often at the most. */
const commitEveryMs = 1_000

/** Topics on a Kafka cluster, and partitions of them as the group assigns them. */
export class KafkaLog implements Log {
  readonly #wiring: KafkaWiring
  readonly #local: LocalState
  readonly #unlock: () => void
  readonly #letters = new Map<string, KafkaLetters>()
  readonly #memberships = new Set<Membership>()
  /** Writers and tasks: they are not always closed by those who use them. */
  readonly #sinks = new Set<Sink<NewRecord>>()
  readonly #groups = new Map<string, readonly string[]>()
  /** For questions of `describe`. */
  readonly #cluster: Cluster
  #known: LogInfo = { topics: [], head: 0n, groups: [] }
  #closed = false

  constructor({ pipeline, path, options, keep = () => keepAll }: KafkaLogOptions) {
    const access = accessOf({ pipeline, options })
    this.#unlock = lockDirectory(path)
    this.#local = new LocalState(path)
    this.#cluster = new Cluster(access)
    const transactional = options.delivery === 'exactly-once'
    const { transactionTimeoutMs, compression } = options
    this.#wiring = {
      access,
      options,
      schemas: new Schemas(access, policyOf(schemaTopic, { options, keep })),
      topics: new Set(),
      policyOf: (topic) => policyOf(topic, { options, keep }),
      producer: (name) => ({
        ...{ access, transactionTimeoutMs, compression },
        transactionalId: transactional ? name : undefined,
      }),
    }
  }

  writer(name: string): Sink<NewRecord> {
    const writer = new KafkaWriter(this.#wiring, name)
    this.#sinks.add(writer)
    return writer
  }

  /** Throws TOPIC_LAYOUT if the topics have different numbers of partitions. */
  async *assignments(
    topics: readonly string[],
    group: string,
    signal: AbortSignal,
  ): AsyncGenerator<Assignment> {
    const partitions = await this.#copartitioned(topics)
    const { access, options } = this.#wiring
    const { sessionTimeoutMs } = options
    const place = { access, group, topics, partitions, sessionTimeoutMs }
    const membership = new Membership(place)
    this.#memberships.add(membership)
    this.#groups.set(group, topics)
    for await (const owned of membership.assignments(signal)) {
      yield this.#assignment(owned, membership, { topics, group, partitions })
    }
  }

  /** Reads one partition of each topic. Without a group nobody remembers how far. */
  reader(topics: readonly string[], name: string, partition = 0): Source<LogRecord> {
    return this.#source({ topics, name, partition, onAck: () => {} })
  }

  deadLetters(sink: string): DeadLetters {
    return this.#lettersOf(sink).keep
  }

  /** How many letters of a sink this process knows of. */
  letters(sink: string): number {
    return this.#lettersOf(sink).count
  }

  /** While no broker answers, what was known before. */
  async describe(): Promise<LogInfo> {
    try {
      this.#known = await this.#describe()
    } catch (error) {
      if (!(error instanceof MillraceError)) throw error
    }
    return this.#known
  }

  async #describe(): Promise<LogInfo> {
    const topics: TopicInfo[] = []
    let head = 0n
    for (const topic of this.#wiring.topics) {
      const info = await this.#topicInfo(topic)
      topics.push(info)
      head += info.sequence
    }
    const groups: GroupInfo[] = []
    for (const [group, read] of this.#groups) groups.push(await this.#groupInfo(group, read))
    return { topics, head, groups }
  }

  /** Markers of transactions take offsets, too: the last record has to be looked for. */
  async ends(topics: readonly string[], partition: number): Promise<ReadonlyMap<string, bigint>> {
    const cluster = new Cluster(this.#wiring.access)
    try {
      const ends = new Map<string, bigint>()
      for (const topic of topics) {
        ends.set(topic, BigInt(await endOfRecords(cluster, topic, partition)))
      }
      return ends
    } finally {
      await cluster.close()
    }
  }

  /** The records of a topic, and those that come, of all its partitions. */
  async *tap(
    topic: string,
    from: 'beginning' | 'end',
    signal: AbortSignal,
  ): AsyncGenerator<LogRecord> {
    const shape = await this.#cluster.topic(topic)
    if (shape === undefined) return
    const ends = from === 'end' ? await this.#cluster.offsets(topic, 'stable') : undefined
    const cluster = await this.#cluster.id()
    const stop = new AbortController() // A reader that waits does not hear that nobody listens.
    const either = AbortSignal.any([signal, stop.signal])
    const readers = shape.leaders.map((_, partition) => {
      const next = Number(ends?.[partition] ?? 0n)
      const topics = new Map([[topic, { id: shape.id, next }]])
      const position = ends && encodePosition({ cluster, topics, open: undefined })
      return this.reader([topic], 'tap', partition).read(position, either)
    })
    try {
      for await (const { records } of interleave(readers)) yield* records
    } finally {
      stop.abort()
    }
  }

  async topics(): Promise<readonly string[]> {
    return this.#cluster.refresh(null)
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    await Promise.all([...this.#memberships].map((membership) => membership.end()))
    const open = [...this.#sinks, ...this.#letters.values()]
    await Promise.all(open.map((each) => each.close()))
    await this.#cluster.close()
    await this.#local.close()
    this.#unlock()
  }

  #assignment(
    { partition, signal, release }: Owned,
    membership: Membership,
    { topics, group, partitions }: { topics: readonly string[]; group: string; partitions: number },
  ): Assignment {
    let isTask = false
    let committedAt = 0
    const onAck = (place: Place) => {
      const now = Date.now()
      // A task commits its offsets with its outputs.
      if (isTask || now - committedAt < commitEveryMs) return
      committedAt = now
      const offsets = [...place.topics].map(([topic, { next }]) => [topic, next] as const)
      // Not awaited: it only serves those who look at the group's lag.
      membership.commit(new Map(offsets), partition).catch(() => {})
    }
    const source = this.#source({ topics, name: group, partition, onAck })
    const task = (name: string) => {
      isTask = true
      const [wiring, local] = [this.#wiring, this.#local]
      const task = new KafkaTask({ wiring, local, name, partition, partitions, group, membership })
      this.#sinks.add(task)
      return task
    }
    return { partition, source, task, signal, release }
  }

  #source(options: {
    readonly topics: readonly string[]
    readonly name: string
    readonly partition: number
    readonly onAck: (place: Place) => void
  }): PartitionSource {
    const { access, schemas } = this.#wiring
    return new PartitionSource({ ...options, access, schemas })
  }

  /** Makes what does not exist yet, so that readers may start before writers. */
  async #copartitioned(topics: readonly string[]): Promise<number> {
    const cluster = new Cluster(this.#wiring.access)
    try {
      let partitions: number | undefined
      for (const topic of topics) {
        const { leaders } = await ensureTopic(cluster, topic, this.#wiring.policyOf(topic))
        this.#wiring.topics.add(topic)
        partitions ??= leaders.length
        if (leaders.length === partitions) continue
        const facts = `${topics[0]} has ${partitions} partitions, ${topic} has ${leaders.length}`
        throw new MillraceError('TOPIC_LAYOUT', `Topics that are read together differ: ${facts}.`)
      }
      return partitions ?? 1
    } finally {
      await cluster.close()
    }
  }

  #lettersOf(sink: string): KafkaLetters {
    let letters = this.#letters.get(sink)
    if (letters === undefined) {
      letters = new KafkaLetters(this.#wiring, sink)
      this.#letters.set(sink, letters)
    }
    return letters
  }

  async #topicInfo(topic: string): Promise<TopicInfo> {
    const starts = await this.#ask(() => this.#cluster.offsets(topic, 'start'))
    const ends = await this.#ask(() => this.#cluster.offsets(topic, 'stable'))
    const partitions = ends.map((end, i) => ({ start: starts[i] ?? end, end }))
    const sequence = ends.reduce((sum, end) => sum + end, 0n)
    return { topic, partitions, sequence, timestamp: 0 }
  }

  async #groupInfo(group: string, topics: readonly string[]): Promise<GroupInfo> {
    const asked = { groupId: group, memberId: null, memberEpoch: -1, topics: null }
    const what = `Ask for the offsets of group ${group}`
    const answer = await this.#ask(async () => {
      const address = await this.#cluster.coordinator('group', group)
      return this.#cluster.call(address, what, offsetFetchV8.api, [asked], true)
    })
    let sequence = 0n
    const places = new Map<string, { id: string; next: number }>()
    for (const { name, partitions } of answer.groups[0]?.topics ?? []) {
      if (!topics.includes(name)) continue
      const committed = partitions.filter(({ committedOffset }) => committedOffset >= 0n)
      for (const { committedOffset } of committed) sequence += committedOffset
      const id = (await this.#cluster.topic(name))?.id ?? ''
      places.set(name, { id, next: Number(committed[0]?.committedOffset ?? 0n) })
    }
    const cluster = await this.#cluster.id()
    return {
      group,
      position: encodePosition({ cluster, topics: places, open: undefined }),
      sequence,
    }
  }

  async #ask<T>(question: () => Promise<T>): Promise<T> {
    try {
      return await question()
    } catch (error) {
      this.#cluster.forget()
      throw error
    }
  }
}
