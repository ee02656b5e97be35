import { MillraceError } from '../../core/errors.ts'
import {
  type Assignment,
  type DeadLetters,
  type GroupInfo,
  type Log,
  type LogInfo,
  laneName,
  type PartitionLag,
  partitionsToRead,
  type Spread,
  type Task,
  type TopicInfo,
} from '../../core/log.ts'
import type { LogRecord, NewRecord } from '../../core/record.ts'
import type { Sink } from '../../core/sink.ts'
import type { Source } from '../../core/source.ts'
import { keepAll, type PolicyOf } from '../../core/topic-policy.ts'
import type { Letter, LetterState } from '../letter.ts'
import { lockDirectory } from '../lock.ts'
import { accessOf } from './access.ts'
import { changelogTopic } from './changelog.ts'
import { Cluster } from './cluster.ts'
import { Formats } from './formats.ts'
import { committedOf, membersOf } from './group-state.ts'
import { dropOlderHops, isHopsTopic } from './hops.ts'
import { KafkaInspection } from './inspection.ts'
import { interleave } from './interleave.ts'
import { KafkaLetters } from './letters.ts'
import { LocalState } from './local-state.ts'
import { Membership, type Owned } from './membership.ts'
import type { KafkaOptions } from './options.ts'
import { paced } from './paced.ts'
import { encodePosition, type Place, type Progress } from './position.ts'
import { Replicas } from './replicas.ts'
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

/** What a group reads. */
interface Reading {
  readonly topics: readonly string[]
  readonly group: string
  /** How many there are to be assigned. */
  readonly partitions: number
  readonly spread: Spread | undefined
}

/** Offsets are committed to a group so often at the most. */
const commitEveryMs = 1_000

/** Topics on a Kafka cluster, and partitions of them as the group assigns them. */
export class KafkaLog implements Log {
  readonly #pipeline: string
  readonly #wiring: KafkaWiring
  readonly #local: LocalState
  readonly #unlock: () => void
  readonly #letters = new Map<string, KafkaLetters>()
  readonly #memberships = new Set<Membership>()
  /** Writers and tasks: they are not always closed by those who use them. */
  readonly #sinks = new Set<Sink<NewRecord>>()
  readonly #groups = new Map<string, readonly string[]>()
  readonly #replicas = new Map<string, Replicas>()
  /** Where this process answers questions, if it does: told to other instances. */
  url: string | undefined
  /** For questions of `describe`. */
  readonly #cluster: Cluster
  #known: LogInfo = { topics: [], head: 0n, groups: [] }
  #closed = false

  constructor({ pipeline, path, options, keep = () => keepAll }: KafkaLogOptions) {
    const access = accessOf({ pipeline, options })
    this.#pipeline = pipeline
    this.#unlock = lockDirectory(path)
    this.#local = new LocalState(path)
    this.#cluster = new Cluster(access)
    const transactional = options.delivery === 'exactly-once'
    const { transactionTimeoutMs, compression } = options
    this.#wiring = {
      access,
      options,
      formats: new Formats(options),
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

  /** Throws TOPIC_LAYOUT if topics without `spread` have different numbers of partitions. */
  async *assignments(
    topics: readonly string[],
    group: string,
    signal: AbortSignal,
    spread?: Spread,
  ): AsyncGenerator<Assignment> {
    const partitions = await this.#partitionsOf(topics, spread)
    const { access, options } = this.#wiring
    const { sessionTimeoutMs } = options
    const replicas = spread?.task === undefined ? undefined : this.replicas(spread.task)
    replicas?.standby.start()
    const stateful = replicas && { stateful: replicas }
    const place = { access, group, topics, partitions, sessionTimeoutMs, ...stateful }
    const membership = new Membership(place)
    this.#memberships.add(membership)
    this.#groups.set(group, topics)
    for await (const owned of membership.assignments(signal)) {
      yield this.#assignment(owned, membership, { topics, group, partitions, spread })
    }
  }

  /** Who has the state of a task. */
  replicas(task: string): Replicas {
    let replicas = this.#replicas.get(task)
    if (replicas === undefined) {
      const { access, options } = this.#wiring
      const url = () => this.url
      const { standbys } = options
      replicas = new Replicas({ access, local: this.#local, task, standbys, url })
      this.#replicas.set(task, replicas)
    }
    return replicas
  }

  /** Reads one partition of each topic. Without a group nobody remembers how far. */
  reader(topics: readonly string[], name: string, partition = 0): Source<LogRecord> {
    return this.#source({ topics, name, partition, onAck: () => {} })
  }

  deadLetters(sink: string): DeadLetters {
    return this.#lettersOf(sink).keep
  }

  /** How many letters of a sink wait, as `describe` has last seen it. */
  letters(sink: string): number {
    return this.#lettersOf(sink).open
  }

  /** Notes what became of a letter, durably. */
  settle(letter: Letter, state: LetterState, note: string | null): Promise<void> {
    return this.#lettersOf(letter.sink).settle(letter, state, note)
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
    for (const letters of this.#letters.values()) await letters.refresh(this.#cluster)
    return { topics, head, groups }
  }

  /** Markers of transactions take offsets, too: the last record has to be looked for. */
  async ends(
    topics: readonly string[],
    partition: number,
    spread?: Spread,
  ): Promise<ReadonlyMap<string, bigint>> {
    const cluster = new Cluster(this.#wiring.access)
    try {
      const ends = new Map<string, bigint>()
      for (const topic of topics) {
        const partitions = (await cluster.topic(topic))?.leaders.length ?? 0
        for (const each of partitionsToRead(topic, partitions, { partition, spread })) {
          ends.set(laneName(topic, each), BigInt(await endOfRecords(cluster, topic, each)))
        }
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

  /** The tasks of a name, one a partition, which nobody may be running: to be changed by hand. */
  async idleTasks(name: string): Promise<readonly Task[]> {
    const changelog = await this.#cluster.topic(changelogTopic(name))
    const partitions = changelog?.leaders.length ?? 0
    const [wiring, local] = [this.#wiring, this.#local]
    const membership = { identity: async () => ({ member: '', generation: -1 }) }
    return Array.from({ length: partitions }, (_, partition) => {
      const place = { name, partition, partitions, group: name, spread: undefined }
      const task = new KafkaTask({ wiring, local, membership, ...place })
      this.#sinks.add(task)
      return task
    })
  }

  /** Looks into what the topics hold, with connections of its own. */
  inspect(): KafkaInspection {
    const { access, policyOf, options } = this.#wiring
    const pipeline = this.#pipeline
    return new KafkaInspection({ access, pipeline, policyOf, options, isOurs: () => true })
  }

  async topics(): Promise<readonly string[]> {
    return this.#cluster.refresh(null)
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    await Promise.all([...this.#memberships].map((membership) => membership.end()))
    const standbys = [...this.#replicas.values()].map(({ standby }) => standby)
    const open = [...this.#sinks, ...this.#letters.values(), ...standbys]
    await Promise.all(open.map((each) => each.close()))
    await this.#cluster.close()
    await this.#local.close()
    this.#wiring.formats.close()
    this.#unlock()
  }

  #assignment(
    { partition, signal, release }: Owned,
    membership: Membership,
    { topics, group, partitions, spread }: Reading,
  ): Assignment {
    let isTask = false
    // It only serves those who look at the group's lag.
    const acked = paced((place: Place) => {
      const offsets = [...place.topics].map(([topic, { next }]) => [topic, next] as const)
      return membership.commit(new Map(offsets), partition)
    }, commitEveryMs)
    const onAck = (place: Place) => {
      // A task commits its offsets with its outputs.
      if (!isTask) acked.give(place)
    }
    const source = this.#source({ topics, name: group, partition, spread, onAck })
    const task = (name: string) => {
      isTask = true
      const [wiring, local] = [this.#wiring, this.#local]
      const { standby } = this.replicas(name)
      const place = { name, partition, partitions, group, spread, standby }
      const task = new KafkaTask({ wiring, local, membership, ...place })
      this.#sinks.add(task)
      return task
    }
    const end = () => void acked.flush().finally(release)
    return { partition, source, task, signal, release: end }
  }

  #source(options: {
    readonly topics: readonly string[]
    readonly name: string
    readonly partition: number
    readonly spread?: Spread | undefined
    readonly onAck: (place: Place) => void
  }): PartitionSource {
    const { access, schemas, formats } = this.#wiring
    return new PartitionSource({ ...options, access, schemas, formats })
  }

  /** Makes what does not exist yet, so that readers may start before writers. */
  async #partitionsOf(topics: readonly string[], spread: Spread | undefined): Promise<number> {
    const cluster = new Cluster(this.#wiring.access)
    try {
      let partitions: number | undefined
      for (const topic of topics) {
        const policy = this.#wiring.policyOf(topic)
        const isHop = isHopsTopic(topic) && spread?.tasks !== undefined
        const made = isHop ? { ...policy, partitions: spread.tasks } : policy
        if (isHop) await dropOlderHops(cluster, topic)
        const { leaders } = await ensureTopic(cluster, topic, made)
        this.#wiring.topics.add(topic)
        partitions ??= spread?.tasks ?? leaders.length
        if (spread?.tasks !== undefined || leaders.length === partitions) continue
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
    const cluster = this.#cluster
    const committed = await this.#ask(() => committedOf(cluster, group))
    const places = new Map<string, Progress>()
    const partitions: PartitionLag[] = []
    for (const [topic, offsets] of committed) {
      if (!topics.includes(topic)) continue
      const ends = await this.#ask(() => cluster.offsets(topic, 'stable'))
      for (const [partition, next] of offsets) {
        partitions.push({ topic, partition, next, end: ends[partition] ?? next })
      }
      const id = (await cluster.topic(topic))?.id ?? ''
      places.set(topic, { id, next: Number([...offsets.values()][0] ?? 0n) })
    }
    const place = { cluster: await cluster.id(), topics: places, open: undefined }
    const members = await this.#ask(() => membersOf(cluster, group))
    return {
      ...{ group, partitions },
      position: encodePosition(place),
      sequence: partitions.reduce((sum, { next }) => sum + next, 0n),
      members: members.map(({ client, host }) => `${client} at ${host}`),
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
