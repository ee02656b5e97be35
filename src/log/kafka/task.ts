import type { Task } from '../../core/log.ts'
import type { NewRecord } from '../../core/record.ts'
import type { Checkpoint, Outcome } from '../../core/sink.ts'
import type { Batch, Position } from '../../core/source.ts'
import type { Store } from '../../core/store.ts'
import { StagedStore } from '../staged-store.ts'
import { Changelog, changelogTopic } from './changelog.ts'
import { Cluster } from './cluster.ts'
import type { LocalState } from './local-state.ts'
import type { Membership } from './membership.ts'
import { Outlet } from './outlet.ts'
import { decodePosition } from './position.ts'
import { type GroupOffsets, Producer } from './producer.ts'
import { ensureTopic } from './topics.ts'
import type { KafkaWiring } from './wiring.ts'

export interface TaskOptions {
  readonly wiring: KafkaWiring
  readonly name: string
  readonly partition: number
  /** How many partitions the topics have that the task's siblings read. */
  readonly partitions: number
  readonly group: string
  readonly membership: Membership
  readonly local: LocalState
}

interface Opened {
  readonly producer: Producer
  readonly outlet: Outlet
}

/**
 * A writer with state. Outputs, the changelog of the state, the position and the group's offsets
 * are one transaction; the state on this machine follows it. The transactional id is the task's:
 * whoever resumes it fences its owner before, and a member that has lost the partition is refused.
 */
export class KafkaTask implements Task {
  readonly #options: TaskOptions
  readonly #topic: string
  readonly #store: StagedStore
  readonly #changelog: Changelog
  #opened: Opened | undefined
  #complete = true

  constructor(options: TaskOptions) {
    const { name, partition, local } = options
    const own = `${name}/${partition}`
    this.#options = options
    this.#topic = changelogTopic(name)
    this.#store = new StagedStore(local.state, local.copyOf(own).id)
    const store = this.#store
    this.#changelog = new Changelog({ name: own, topic: this.#topic, partition, local, store })
  }

  get store(): Store {
    return this.#store
  }

  async resume(_source: string): Promise<Position | undefined> {
    await this.close()
    const { wiring, name, partition, partitions } = this.#options
    const cluster = new Cluster(wiring.access)
    try {
      const policy = { ...wiring.policyOf(this.#topic), partitions }
      await ensureTopic(cluster, this.#topic, policy)
      const producer = await Producer.open(wiring.producer(`${name}.${partition}`))
      this.#opened = { producer, outlet: new Outlet(wiring, producer) }
      return await this.#changelog.restore(cluster)
    } finally {
      await cluster.close()
    }
  }

  /** Starts again from the beginning of the log, without state. */
  async clear(): Promise<void> {
    const { producer } = await this.#open()
    this.#changelog.stageReset(producer)
    await producer.commit()
    this.#changelog.follow(producer)
  }

  async write({ records, complete }: Batch<NewRecord>): Promise<readonly Outcome[]> {
    const { outlet } = await this.#open()
    await outlet.write(records)
    this.#complete = complete
    return new Array<Outcome>(records.length).fill('applied')
  }

  async commit({ position, timestamp }: Checkpoint): Promise<void> {
    const { producer, outlet } = await this.#open()
    outlet.end(this.#complete)
    this.#changelog.stage(producer, { position, timestamp })
    await producer.commit(await this.#offsets(position))
    this.#changelog.follow(producer)
  }

  async close(): Promise<void> {
    const opened = this.#opened
    this.#opened = undefined
    this.#complete = true
    this.#store.drop()
    await opened?.producer.close()
  }

  async #open(): Promise<Opened> {
    if (this.#opened === undefined) await this.resume('')
    return this.#opened!
  }

  async #offsets(position: Position): Promise<GroupOffsets> {
    const { group, partition, membership } = this.#options
    const topics = decodePosition(position)?.topics ?? new Map()
    const offsets = [...topics].map(([topic, { next }]) => ({
      ...{ topic, partition, offset: BigInt(next) },
    }))
    return { group, offsets, ...(await membership.identity()) }
  }
}
