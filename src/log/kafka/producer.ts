import {
  addOffsetsToTxnV3,
  addPartitionsToTxnV3,
  endTxnV3,
  initProducerIdV4,
  txnOffsetCommitV3,
} from '@platformatic/kafka'
import { again } from './again.ts'
import { type Access, Cluster } from './cluster.ts'
import type { Compression } from './compression.ts'
import { produce } from './produce.ts'
import { BatchWriter, countAt, type Entry } from './record-batch.ts'

export interface ProducerOptions {
  readonly access: Access
  /** Whoever opens a producer of the same id fences this one. Without: idempotent only. */
  readonly transactionalId: string | undefined
  readonly transactionTimeoutMs: number
  readonly compression: Compression
}

/** How far a group came, to be committed with a transaction. */
export interface GroupOffsets {
  readonly group: string
  /** Of the member that was assigned the partitions: one that lost them is refused. */
  readonly member: string
  readonly generation: number
  readonly offsets: readonly { topic: string; partition: number; offset: bigint }[]
}

/** Kept below the broker's default limit of a batch, 1,048,588 bytes. */
const batchBytes = 900_000
/** How long the cluster may take to settle before the producer gives up. */
const patienceMs = 30_000

interface Lane {
  readonly topic: string
  readonly partition: number
  readonly batch: BatchWriter
  /** Encoded, not sent yet. */
  readonly full: Buffer[]
  /** Counts the records in this partition, as the broker does. */
  sequence: number
  inTransaction: boolean
  /** Offset behind the last record that was written; undefined before the first. */
  end: number | undefined
}

/**
 * Writes record batches, one partition a request and one request a partition at a time, so that a
 * batch that fails can never be overtaken by the next.
 *
 * After any error it is of no use any more: close it, open another one, which fences what is left
 * of it and aborts its transaction, and read the position, which is the truth.
 */
export class Producer {
  readonly #options: ProducerOptions
  readonly #cluster: Cluster
  readonly #lanes = new Map<string, Lane>()
  /** Take part in the transaction, also without records. */
  readonly #touched = new Set<Lane>()
  #producerId = -1n
  #epoch = -1
  #bytes = 0
  #hasBegun = false
  #last: Lane | undefined

  private constructor(options: ProducerOptions) {
    this.#options = options
    this.#cluster = new Cluster(options.access)
  }

  static async open(options: ProducerOptions): Promise<Producer> {
    const producer = new Producer(options)
    try {
      await producer.#init()
      return producer
    } catch (error) {
      await producer.close()
      throw error
    }
  }

  /** Bytes that wait for `flush`. */
  get bytes(): number {
    return this.#bytes
  }

  add(topic: string, partition: number, entry: Entry, headers?: Uint8Array): void {
    const lane = this.#lane(topic, partition)
    const { batch } = lane
    const size = (entry.key?.length ?? 0) + (entry.value?.length ?? 0) + (headers?.length ?? 0)
    if (batch.count > 0 && batch.bytes + size > batchBytes) this.#end(lane)
    batch.add(entry, headers)
    this.#bytes += size
  }

  /** Has the transaction's marker written to a partition, also if no record goes there. */
  touch(topic: string, partition: number): void {
    this.#touched.add(this.#lane(topic, partition))
  }

  /** Resolves once everything added is in the log; with a transaction, still invisible. */
  async flush(): Promise<void> {
    const lanes = [...this.#lanes.values()]
    for (const lane of lanes) if (lane.batch.count > 0) this.#end(lane)
    const writing = lanes.filter(({ full }) => full.length > 0)
    if (writing.length === 0) return
    await this.#enter(writing.filter(({ inTransaction }) => !inTransaction))
    await Promise.all(writing.map((lane) => this.#send(lane)))
    this.#bytes = 0
  }

  /** Makes everything since the last commit visible at once, with the offsets of a group. */
  async commit(offsets?: GroupOffsets): Promise<void> {
    await this.flush()
    if (this.#options.transactionalId === undefined) return
    await this.#enter([...this.#touched].filter(({ inTransaction }) => !inTransaction))
    this.#touched.clear()
    if (offsets !== undefined && offsets.offsets.length > 0) await this.#commitOffsets(offsets)
    if (!this.#hasBegun) return
    await this.#coordinated('Commit', (address, id, what) =>
      this.#cluster.call(address, what, endTxnV3.api, id, this.#producerId, this.#epoch, true),
    )
    this.#hasBegun = false
    for (const lane of this.#lanes.values()) lane.inTransaction = false
  }

  /** Offset behind the last record that this producer wrote; undefined before the first. */
  endOf(topic: string, partition: number): number | undefined {
    return this.#lanes.get(`${topic}/${partition}`)?.end
  }

  async close(): Promise<void> {
    await this.#cluster.close()
  }

  async #init(): Promise<void> {
    const { transactionalId, transactionTimeoutMs } = this.#options
    if (transactionalId === undefined) {
      const what = 'Ask for a producer id'
      const answer = await this.#cluster.anywhere(what, initProducerIdV4.api, null, 0, -1n, -1)
      this.#producerId = answer.producerId
      this.#epoch = answer.producerEpoch
      return
    }
    const answer = await this.#coordinated('Open', (address, id, what) =>
      this.#cluster.call(address, what, initProducerIdV4.api, id, transactionTimeoutMs, -1n, -1),
    )
    this.#producerId = answer.producerId
    this.#epoch = answer.producerEpoch
  }

  #lane(topic: string, partition: number): Lane {
    const last = this.#last
    if (last?.topic === topic && last.partition === partition) return last
    const key = `${topic}/${partition}`
    let lane = this.#lanes.get(key)
    if (lane === undefined) {
      const batch = new BatchWriter(this.#options.compression)
      lane = {
        topic,
        partition,
        batch,
        full: [],
        sequence: 0,
        inTransaction: false,
        end: undefined,
      }
      this.#lanes.set(key, lane)
    }
    this.#last = lane
    return lane
  }

  #end(lane: Lane): void {
    const { count } = lane.batch
    const isTransactional = this.#options.transactionalId !== undefined
    const { sequence } = lane
    const stamp = { producerId: this.#producerId, epoch: this.#epoch, sequence, isTransactional }
    lane.full.push(lane.batch.take(stamp))
    lane.sequence = (sequence + count) % 2 ** 31
  }

  /** Tells the coordinator which partitions the transaction writes, before it does. */
  async #enter(lanes: readonly Lane[]): Promise<void> {
    if (this.#options.transactionalId === undefined || lanes.length === 0) return
    const byTopic = Map.groupBy(lanes, ({ topic }) => topic)
    const topics = [...byTopic].map(([name, some]) => ({
      ...{ name, partitions: some.map(({ partition }) => partition) },
    }))
    await this.#coordinated('Begin', (address, id, what) => {
      const [producerId, producerEpoch] = [this.#producerId, this.#epoch]
      const entry = { transactionalId: id, producerId, producerEpoch, verifyOnly: false, topics }
      return this.#cluster.call(address, what, addPartitionsToTxnV3.api, [entry])
    })
    this.#hasBegun = true
    for (const lane of lanes) lane.inTransaction = true
  }

  async #send(lane: Lane): Promise<void> {
    const { topic, partition, full } = lane
    const transactionalId = this.#options.transactionalId ?? null
    const timeoutMs = this.#options.access.requestTimeoutMs
    const settle = { patienceMs, forget: () => this.#cluster.forget() }
    for (const batch of full) {
      const request = { transactionalId, topic, partition, batch, timeoutMs }
      const offset = await again(() => produce(this.#cluster, request), settle)
      lane.end = offset + batch.readInt32BE(countAt)
    }
    full.length = 0
    lane.batch.rewind()
  }

  async #commitOffsets({ group, member, generation, offsets }: GroupOffsets): Promise<void> {
    const [producerId, epoch] = [this.#producerId, this.#epoch]
    await this.#coordinated('Add offsets', (address, id, what) =>
      this.#cluster.call(address, what, addOffsetsToTxnV3.api, id, producerId, epoch, group),
    )
    this.#hasBegun = true
    const topics = [...Map.groupBy(offsets, ({ topic }) => topic)].map(([name, some]) => ({
      name,
      partitions: some.map(({ partition, offset }) => ({
        ...{ partitionIndex: partition, committedOffset: offset, committedLeaderEpoch: -1 },
        committedMetadata: null,
      })),
    }))
    const id = this.#options.transactionalId!
    const commit = async () => {
      const address = await this.#cluster.coordinator('group', group)
      const what = `Commit offsets of group ${group}`
      const place = [id, group, producerId, epoch, generation, member, null, topics] as const
      await this.#cluster.call(address, what, txnOffsetCommitV3.api, ...place)
    }
    await again(commit, { patienceMs, forget: () => this.#cluster.forget() })
  }

  /** Calls the coordinator of the transactional id. */
  #coordinated<T>(
    verb: string,
    call: (address: string, id: string, what: string) => Promise<T>,
  ): Promise<T> {
    const id = this.#options.transactionalId!
    const what = `${verb} a transaction of ${id}`
    const ask = async () => call(await this.#cluster.coordinator('transaction', id), id, what)
    return again(ask, { patienceMs, forget: () => this.#cluster.forget() })
  }
}
