import { isIP } from 'node:net'
import {
  type API,
  Connection,
  type ConnectionOptions,
  findCoordinatorV4,
  listOffsetsV7,
  metadataV12,
} from '@platformatic/kafka'
import { faultOf, isFault, KafkaFault, toFault } from './fault.ts'

type Metadata = metadataV12.MetadataResponse

/** How to reach the brokers. */
export interface Access {
  readonly brokers: readonly string[]
  readonly clientId: string
  readonly requestTimeoutMs: number
  readonly tls?: ConnectionOptions['tls']
  readonly sasl?: ConnectionOptions['sasl']
}

export interface Topic {
  /** Given by the cluster, and never again: a topic that was made anew has another one. */
  readonly id: string
  /** The node that leads each partition; -1 while there is none. */
  readonly leaders: readonly number[]
  /** How many nodes keep each partition. */
  readonly replicas: number
}

/** Offsets that a partition has: its first, its last, or what is visible to read_committed. */
export type OffsetAt = 'start' | 'end' | 'stable' | number

/**
 * Connections of one actor to the cluster, and what it knows of it. Each producer, reader and group
 * member has its own: a call that waits at the broker holds up nobody else, and after an error all
 * of it can be thrown away.
 *
 * Versions of calls are fixed at what every broker from Kafka 3.5 on speaks, so there is nothing to
 * negotiate. Every call ends: with an answer, or as a fault after `requestTimeoutMs`.
 */
export class Cluster {
  readonly access: Access
  readonly #connections = new Map<string, Promise<Connection>>()
  readonly #nodes = new Map<number, string>()
  readonly #topics = new Map<string, Topic>()
  readonly #coordinators = new Map<string, string>()
  #id: string | undefined
  #controller: number | undefined
  #closed = false

  constructor(access: Access) {
    this.access = access
  }

  /** Calls a broker. Throws a fault that says what was tried. */
  async call<Arguments extends unknown[], Answer>(
    address: string,
    what: string,
    api: API<Arguments, Answer>,
    ...values: Arguments
  ): Promise<Answer> {
    try {
      const connection = await this.#connect(address)
      return await api.async(connection, ...values)
    } catch (error) {
      const fault = toFault(error, what)
      // A connection that once failed to answer may answer the wrong call later.
      if (isFault(fault, 'NETWORK')) this.#drop(address)
      throw fault
    }
  }

  /** Sends bytes that the client has no call for. */
  async connection(address: string): Promise<Connection> {
    return this.#connect(address)
  }

  drop(address: string): void {
    this.#drop(address)
  }

  /** How many brokers there are, as far as is known. */
  get brokers(): number {
    return this.#nodes.size
  }

  /** The addresses of all brokers, by their ids. */
  async nodes(): Promise<ReadonlyMap<number, string>> {
    await this.refresh([])
    return this.#nodes
  }

  /** The cluster's id. */
  async id(): Promise<string> {
    if (this.#id === undefined) await this.refresh([])
    return this.#id ?? ''
  }

  /** The topic; undefined if there is none. Throws if it may not be seen. */
  async topic(name: string): Promise<Topic | undefined> {
    if (!this.#topics.has(name)) await this.refresh([name])
    return this.#topics.get(name)
  }

  /** Address of the broker that leads a partition. */
  async leader(topic: string, partition: number): Promise<string> {
    const found = await this.topic(topic)
    const address = this.#nodes.get(found?.leaders[partition] ?? -1)
    if (address !== undefined) return address
    this.#topics.delete(topic)
    const id = found === undefined ? 'UNKNOWN_TOPIC_OR_PARTITION' : 'LEADER_NOT_AVAILABLE'
    throw new KafkaFault(id, `Find the leader of ${topic}/${partition}`)
  }

  /** Address of the broker that looks after a group or a transactional id. */
  async coordinator(kind: 'group' | 'transaction', key: string): Promise<string> {
    const cached = this.#coordinators.get(`${kind} ${key}`)
    if (cached !== undefined) return cached
    const what = `Find the coordinator of ${kind} ${key}`
    const type = kind === 'group' ? 0 : 1
    const answer = await this.anywhere(what, findCoordinatorV4.api, type, [key])
    const [found] = answer.coordinators
    if (found === undefined) throw new KafkaFault('COORDINATOR_NOT_AVAILABLE', what)
    const address = `${found.host}:${found.port}`
    this.#coordinators.set(`${kind} ${key}`, address)
    return address
  }

  /** Forgets who leads and who coordinates. */
  forget(): void {
    this.#topics.clear()
    this.#coordinators.clear()
  }

  /** Asks about topics anew, or about all if none are named. Gives the names that exist. */
  async refresh(topics: readonly string[] | null): Promise<readonly string[]> {
    const answer = await this.#metadata(topics)
    this.#id = answer.clusterId ?? ''
    this.#controller = answer.controllerId
    for (const { nodeId, host, port } of answer.brokers) this.#nodes.set(nodeId, `${host}:${port}`)
    const found: string[] = []
    for (const { name, errorCode, topicId, partitions } of answer.topics) {
      if (!name) continue
      this.#topics.delete(name)
      if (errorCode === 3) continue
      if (errorCode !== 0 && errorCode !== 5) throw faultOf(errorCode, `Describe the topic ${name}`)
      const leaders: number[] = []
      for (const { partitionIndex, leaderId } of partitions) leaders[partitionIndex] = leaderId
      const replicas = Math.min(...partitions.map(({ replicaNodes }) => replicaNodes.length))
      this.#topics.set(name, { id: topicId, leaders, replicas })
      found.push(name)
    }
    return found
  }

  /** What the user may do with topics that exist, as the protocol's bits; 0: not even see it. */
  async operations(topics: readonly string[]): Promise<ReadonlyMap<string, number>> {
    const answer = await this.#metadata(topics, true)
    const known = answer.topics.filter(({ errorCode }) => errorCode !== 3)
    return new Map(
      known.map(({ name, errorCode, topicAuthorizedOperations }) => {
        return [name ?? '', errorCode === 0 ? topicAuthorizedOperations : 0]
      }),
    )
  }

  /** For each partition of a topic, an offset, or the first whose time is not before `at`. */
  async offsets(topic: string, at: OffsetAt): Promise<readonly bigint[]> {
    const timestamp = at === 'start' ? -2n : typeof at === 'number' ? BigInt(at) : -1n
    const isolation = at === 'end' ? 0 : 1
    const shape = await this.topic(topic)
    if (shape === undefined) return []
    const offsets = new Array<bigint>(shape.leaders.length).fill(0n)
    const byLeader = Map.groupBy(offsets.keys(), (partition) => shape.leaders[partition]!)
    await Promise.all(
      [...byLeader.values()].map(async (partitions) => {
        const address = await this.leader(topic, partitions[0]!)
        const asked = partitions.map((partitionIndex) => ({
          ...{ partitionIndex, currentLeaderEpoch: -1, timestamp },
        }))
        const what = `Ask for offsets of ${topic}`
        const answer = await this.#retryLeader(topic, () =>
          this.call(address, what, listOffsetsV7.api, -1, isolation, [
            { name: topic, partitions: asked },
          ]),
        )
        for (const { partitionIndex, offset } of answer.topics[0]?.partitions ?? []) {
          offsets[partitionIndex] = offset
        }
      }),
    )
    return offsets
  }

  /** Another broker may lead by now: what is known of the topic is forgotten before the throw. */
  async #retryLeader<T>(topic: string, ask: () => Promise<T>): Promise<T> {
    try {
      return await ask()
    } catch (error) {
      this.#topics.delete(topic)
      throw error
    }
  }

  async close(): Promise<void> {
    this.#closed = true
    for (const address of [...this.#connections.keys()]) this.#drop(address)
  }

  async #metadata(topics: readonly string[] | null, withRights = false): Promise<Metadata> {
    const names = topics === null ? null : [...topics]
    try {
      return await this.anywhere('Ask for metadata', metadataV12.api, names, false, withRights)
    } catch (error) {
      // One topic that has no leader, or does not exist, fails the whole call.
      if (error instanceof KafkaFault && error.response) return error.response as Metadata
      throw error
    }
  }

  /** Calls the broker that is the controller, or says that it will pass the call on. */
  async controlled<Arguments extends unknown[], Answer>(
    what: string,
    api: API<Arguments, Answer>,
    ...values: Arguments
  ): Promise<Answer> {
    if (this.#controller === undefined) await this.refresh([])
    const address = this.#nodes.get(this.#controller ?? -1)
    if (address === undefined) return this.anywhere(what, api, ...values)
    return this.call(address, what, api, ...values)
  }

  /** Calls the first broker that answers. */
  async anywhere<Arguments extends unknown[], Answer>(
    what: string,
    api: API<Arguments, Answer>,
    ...values: Arguments
  ): Promise<Answer> {
    let failure: unknown
    const connected = [...this.#connections.keys()]
    for (const address of new Set([
      ...connected,
      ...this.#nodes.values(),
      ...this.access.brokers,
    ])) {
      try {
        return await this.call(address, what, api, ...values)
      } catch (error) {
        failure = error
        if (!isFault(error, 'NETWORK')) throw error
      }
    }
    throw failure
  }

  #connect(address: string): Promise<Connection> {
    const known = this.#connections.get(address)
    if (known !== undefined) return known
    const made = this.#open(address)
    this.#connections.set(address, made)
    made.catch(() => this.#connections.delete(address))
    return made
  }

  async #open(address: string): Promise<Connection> {
    if (this.#closed) throw new KafkaFault('NETWORK', `Connect to ${address} after closing`)
    const { clientId, requestTimeoutMs, tls, sasl } = this.access
    const at = address.lastIndexOf(':')
    const host = address.slice(0, at).replace(/^\[(.*)\]$/, '$1')
    const connection = new Connection(clientId, {
      connectTimeout: 5_000,
      requestTimeout: requestTimeoutMs,
      ...(tls && { tls, ...(isIP(host) === 0 && { tlsServerName: tls.servername ?? true }) }),
      ...(sasl && { sasl }),
    })
    connection.on('error', () => {}) // Told to the calls that wait.
    connection.on('close', () => this.#connections.delete(address))
    await connection.connect(host, Number(address.slice(at + 1)))
    return connection
  }

  #drop(address: string): void {
    const known = this.#connections.get(address)
    this.#connections.delete(address)
    void known?.then((connection) => connection.close()).catch(() => {})
  }
}
